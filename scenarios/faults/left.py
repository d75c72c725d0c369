"""What runs below the home of a stand, by its records, and the end of all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effects.recovery.running import wait_ends
from scenarios.faults.kept import RECORDS
from scenarios.faults.recorded import record, recorded_child, remembered

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios.faults.recorded import Recorded

LOOKS_MAX, END_SECONDS = 20, 5.0


def all_below(home: Path) -> list[Recorded]:
    """Record all that runs below a home: what its files prove to be ours, and what that started."""
    found: list[Recorded | None] = [*remembered(home / RECORDS)]
    for folder in ("processes", "children"):
        paths = (home / "state" / folder).glob("*.json")
        found += [recorded_child(path.parent, path.stem) for path in paths]
    roots = [one for one in found if one is not None]
    below = [record(one.name, pid) for one in roots for pid in one.descendants()]
    return [*roots, *[one for one in below if one is not None]]


async def end_all(home: Path) -> None:
    """Kill -9 all of it, and what was started meanwhile, until nothing is left."""
    for _ in range(LOOKS_MAX):
        found = all_below(home)
        if not found:
            return
        for one in found:
            one.kill()
        await wait_ends([one.seen for one in found], END_SECONDS)
