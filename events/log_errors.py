"""How the log can fail its writers and readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from events.address import EntityAddress


class ConflictError(Exception):
    """Another writer committed to the entity first. `actual` is the sequence it is at now."""

    def __init__(self, entity: EntityAddress, expected: int, actual: int) -> None:
        """Say which entity, and which sequence was expected and found."""
        super().__init__(f"{entity} is at sequence {actual}, not {expected}")
        self.expected, self.actual = expected, actual


class LogUnavailableError(ConnectionError):
    """The log did not answer in time. Whether the last commit landed must be read again."""


class LogReplacedError(LogUnavailableError):
    """The log was restored: another generation took the place of the one that was opened.

    All that is held in memory of it may never have happened. Open the log and read it anew.
    """


class LogLostEndError(Exception):
    """The log does not hold any more what was read of it, or what it acknowledged.

    What is held in memory of it may be more than it says. End, and read it anew. `end` is the
    last sequence that is still what it was, as far as is known.
    """

    def __init__(self, what: str, known: int, end: int) -> None:
        """Say what lost its end, up to where it was known, and where it ends now."""
        super().__init__(f"{what} was known up to {known}, and the log holds it up to {end} only")
        self.end = end


class LogFullError(Exception):
    """The log refuses more: its disk or its limit is full."""


class CommitTooLargeError(Exception):
    """The commit is over the server's message limit. Nothing was sent."""
