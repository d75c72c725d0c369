"""The end of a run: the log in a file, and every state, as hosts know it and as it is rebuilt."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from nats.errors import Error as NatsError

from actors.deciders import KINDS
from actors.runtime.description import ask_host
from actors.runtime.known_states import EntityInMemory, ask_states, in_memory
from actors.runtime.store import Store
from events.archive import ArchiveWriter, Heading
from events.build import build_id
from events.placement import BucketRange
from events.subjects import STATE_SUBJECTS
from scenarios.checker.run import ARCHIVE, RUN, STATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from events.log import Log
    from scenarios.checker.run_file import Pace

REST_SECONDS_MAX = 60.0
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunHeading:
    """What a run says of itself: see `RunFile`."""

    began: datetime
    seed: int | None = None
    settings: dict[str, Any] | None = None
    must_exercise: tuple[str, ...] | None = None
    unrest: str = ""
    pace: Pace | None = None
    faults: int = 0
    left_out: tuple[str, ...] = ()


async def collect(log: Log, hosts: Collection[str], heading: RunHeading, directory: Path) -> None:
    """Write all that the checker needs beside what workers and receivers wrote.

    The platform must be at rest: states and log are of one moment only where nothing is committed
    meanwhile. Raises `RestlessError` where something always was.
    """
    until = time.monotonic() + REST_SECONDS_MAX
    while time.monotonic() < until:
        head = await log.head_sequence()
        with suppress(TimeoutError, NatsError):  # a host that is just being started anew
            await _all_ready(log, hosts)
            await _write_states(log, hosts, directory)
            await _write_log(log, directory / ARCHIVE)
            if await log.head_sequence() == head:
                _write_heading(heading, hosts, directory)
                return
        await asyncio.sleep(RETRY_SECONDS)
    message = f"for {REST_SECONDS_MAX:g} s the log grew, or not all of {', '.join(hosts)} answered"
    raise RestlessError(message)


class RestlessError(Exception):
    """The platform never came to rest."""


async def _all_ready(log: Log, hosts: Iterable[str]) -> None:
    """Find that every host has read its buckets. Raises `TimeoutError`."""
    for host in hosts:
        described = await ask_host(log.client, host, entities=False)
        if not (described.answered and described.ready):
            raise TimeoutError(f"{host} is not ready")


async def _write_states(log: Log, hosts: Iterable[str], directory: Path) -> None:
    with (directory / STATES).open("w") as file:
        for host in hosts:
            async for known in ask_states(log.client, host):
                file.write(_line(known, "live", host))
        ranges = [BucketRange(kind=kind) for kind in KINDS]
        for entity in (await Store(log).load(ranges, cached=False)).values():
            file.write(_line(in_memory(entity), "rebuilt"))
        for entity in (await Store(log).load(ranges)).values():
            file.write(_line(in_memory(entity), "from checkpoints"))


def _write_heading(heading: RunHeading, hosts: Iterable[str], directory: Path) -> None:
    content = {
        "format": 1,
        "seed": heading.seed,
        "began": heading.began.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "settings": heading.settings or {},
        "must_exercise": heading.must_exercise,
        "hosts": list(hosts),
        "build": build_id(),
        "unrest": heading.unrest,
        "pace": None if heading.pace is None else msgspec.structs.asdict(heading.pace),
        "faults": heading.faults,
        "left_out": heading.left_out,
    }
    (directory / RUN).write_text(json.dumps(content, indent=1))


def _line(known: EntityInMemory, source: str, host: str = "") -> str:
    content = {**asdict(known), "digest": known.digest.hex(), "source": source, "host": host}
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
