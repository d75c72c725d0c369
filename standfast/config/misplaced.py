"""A mistake that no single field shows still has its place in the file."""

from __future__ import annotations


class MisplacedError(ValueError):
    """What is wrong, and the path of keys and indexes to it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        """Keep the path; the message stays without it."""
        super().__init__(message)
        self.path = path


class MisplacedErrors(ValueError):  # noqa: N818  (several errors)
    """All such mistakes of a file at once."""

    def __init__(self, errors: list[MisplacedError]) -> None:
        """Keep them in the order in which they were found."""
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors
