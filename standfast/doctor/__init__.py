"""What is wrong and which command helps: a list of small checks, each of one thing."""
