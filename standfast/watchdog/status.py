"""How the watchdog is, in a small file for whoever asks: `standfast doctor`, for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from events.base import Value

if TYPE_CHECKING:
    from pathlib import Path

STATUS = "status.json"


class OpenPage(Value):
    """A page that is open: what it says, since when, and who has heard it."""

    alert: str
    summary: str
    opened: AwareDatetime
    heard: tuple[str, ...]


class WatchdogStatus(Value):
    """What the watchdog knows. `troubles` says of receivers why they could not be told."""

    written: AwareDatetime
    heard: AwareDatetime | None
    is_fresh: bool
    pages: tuple[OpenPage, ...] = ()
    troubles: dict[str, str] = {}
    dead_man_answered: AwareDatetime | None = None
    dead_man_trouble: str = ""


def write_status(path: Path, status: WatchdogStatus) -> None:
    """Put a status in the place of the one before, whole or not at all. Raises `OSError`."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(status.model_dump_json(indent=1))
    draft.replace(path)


def read_status(path: Path) -> WatchdogStatus | None:
    """Give the newest status; None where there is none that can be read."""
    try:
        return WatchdogStatus.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
