"""A mistake that no single field shows still has its place in the file."""

from __future__ import annotations


class MisplacedError(ValueError):
    """What is wrong, and the path of keys and indexes to it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        """Keep the path; the message stays without it."""
        super().__init__(message)
        self.path = path
