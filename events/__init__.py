"""What happened: the vocabulary of facts, and the append-only log that keeps them."""
