"""A long run in parts: each with the next seed and a stand of its own; what is done is kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from events.build import build_id
from scenarios.faults.run import RunSettings, run_faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from scenarios.faults.journal import JournalEntry

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its directory, and its report as JSON. `is_new` where it was run just now."""

    directory: Path
    content: dict[str, Any]
    is_new: bool
    lines: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Say whether nothing was found in it."""
        return bool(self.content["clean"])


async def run_parts(
    settings: RunSettings, parts: int, directory: Path, told: Callable[[JournalEntry], None]
) -> AsyncIterator[Part]:
    """Run so many parts with seeds that follow each other.

    Those that this build ran with the same settings have a report, and are only read.
    Raises `StandFailedError`.
    """
    for number in range(parts):
        own = replace(settings, seed=settings.seed + number)
        place = directory / f"seed-{own.seed}"
        kept = _kept(place, own)
        if kept is not None:
            yield Part(place, kept, is_new=False)
            continue
        ran = await run_faults(own, place, told)
        content = {**ran.report.as_json(), "settings": asdict(ran.settings)}
        (place / REPORT).write_text(json.dumps(content, indent=1))
        yield Part(place, content, is_new=True, lines=tuple(ran.report.summary()))


def _kept(place: Path, settings: RunSettings) -> dict[str, Any] | None:
    """Give the report of a part that was run with the same settings and by the same build."""
    try:
        content: dict[str, Any] = json.loads((place / REPORT).read_bytes())
    except (OSError, ValueError):
        return None
    key = (content.get("settings"), content.get("build"))
    return content if key == (asdict(settings), build_id()) else None
