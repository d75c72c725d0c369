"""Ways to look at a service, one a file; each gives what it saw and raises nothing."""
