"""What the newest upgrade has done so far and how it ended: a file that outlives the processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from events.base import Value
from standfast.paths import write_private

if TYPE_CHECKING:
    from standfast.paths import StateDirectory

ENDS = frozenset({"done", "refused", "failed"})
LINES_MAX = 500


class Account(Value):
    """An upgrade. `refused`: nothing was changed. `failed`: it went back as far as it could.

    `build` is what was to run, as far as that is known; `lines` are its steps in words for people.
    """

    state: Literal["asked", "under way", "done", "refused", "failed"]
    build: str = ""
    lines: tuple[str, ...] = ()
    reason: str = ""
    may_park: bool = False
    """Whether entities may be parked that this build can't read, as an older one may have to."""

    @property
    def is_over(self) -> bool:
        """Say whether nothing more will come."""
        return self.state in ENDS

    def write(self, directory: StateDirectory) -> None:
        """Keep the account."""
        write_private(directory.upgrade, self.model_dump_json(indent=1))


def read_account(directory: StateDirectory) -> Account | None:
    """Give the newest account, or None where there never was an upgrade."""
    try:
        return Account.model_validate_json(directory.upgrade.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def with_line(directory: StateDirectory, line: str) -> None:
    """Add a step to the account of the upgrade that is under way."""
    account = read_account(directory)
    if account is not None and not account.is_over:
        lines = (*account.lines, line)[-LINES_MAX:]
        account.model_copy(update={"lines": lines}).write(directory)
