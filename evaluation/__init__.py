"""What is concluded from samples, without a socket."""
