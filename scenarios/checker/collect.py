"""The end of a run: the log in a file, and every state, as hosts know it and as it is rebuilt."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from actors.deciders import KINDS
from actors.runtime.known_states import EntityInMemory, ask_states, in_memory
from actors.runtime.store import Store
from events.archive import ArchiveWriter, Heading
from events.placement import BucketRange
from events.subjects import STATE_SUBJECTS
from scenarios.checker.run import ARCHIVE, FORMAT, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from events.log import Log


@dataclass(frozen=True, slots=True)
class RunHeading:
    """What a run says of itself; `must_exercise` None means all invariants."""

    began: datetime
    seed: int | None = None
    settings: dict[str, Any] | None = None
    must_exercise: tuple[str, ...] | None = None


async def collect(log: Log, hosts: Iterable[str], heading: RunHeading, directory: Path) -> None:
    """Write all that the checker needs beside what workers and receivers wrote.

    The platform must be at rest: what is committed meanwhile makes states look wrong.
    """
    with (directory / "states.jsonl").open("w") as file:
        for host in hosts:
            async for known in ask_states(log.client, host):
                file.write(_line(known, "live"))
        ranges = [BucketRange(kind=kind) for kind in KINDS]
        for entity in (await Store(log).load(ranges, cached=False)).values():
            file.write(_line(in_memory(entity), "rebuilt"))
        for entity in (await Store(log).load(ranges)).values():
            file.write(_line(in_memory(entity), "from checkpoints"))
    await _write_log(log, directory / ARCHIVE)
    content = {
        "format": FORMAT,
        "seed": heading.seed,
        "began": heading.began.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "settings": heading.settings or {},
        "must_exercise": heading.must_exercise,
    }
    (directory / RUN).write_text(json.dumps(content, indent=1))


def _line(known: EntityInMemory, source: str) -> str:
    content = {**asdict(known), "digest": known.digest.hex(), "source": source}
    content["head"] = content.pop("sequence")
    return json.dumps(content) + "\n"


async def _write_log(log: Log, path: Path) -> None:
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(Heading(log.identity, "", datetime.now(UTC)))
        async for batch in log.read([STATE_SUBJECTS]):
            for message in batch:
                writer.add(message)
        writer.end()
