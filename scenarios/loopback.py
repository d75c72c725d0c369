"""Where all of a story listens: on this machine alone."""

HOST = "127.0.0.1"
