"""The disk under the log is looked at again and again; the log says when its pressure changes."""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from actors.runtime.solo import SoloWriter
from actors.storage import RecordStorage, Storage
from events.build import build_id
from events.commit import Author
from events.log_errors import LogFullError, LogUnavailableError
from events.state_stream import ask_streams
from events.storage import Pressure, StoragePressureChanged
from events.subjects import CHECKPOINT_STREAM, TELEMETRY_STREAM
from standfast.keeping.aftermath import STORAGE_ADDRESS
from standfast.keeping.pressure import Room, Rooms, Shares, grown, pressure_at, shrunk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nats.aio.client import Client

    from events.log import Log
    from standfast.config.model import LogConfiguration

_UNCERTAIN = (NatsError, TimeoutError, OSError, LogFullError, LogUnavailableError)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Used:
    """How full the disk is, from 0 to 1, and how much is free, in bytes."""

    share: float
    free_bytes: int


@dataclass(frozen=True, slots=True)
class DiskWatch:
    """Keeps room on the disk of a folder, or within the account's limit in a cluster.

    `log` gives the log as it is open now, and `configured` what is in force for it now.
    """

    log: Callable[[], Log]
    configured: Callable[[], LogConfiguration]
    folder: Path
    author: Author = field(default_factory=lambda: Author("main", "local", build_id()))

    @property
    def shares(self) -> Shares:
        """How full the disk may be."""
        one = self.configured()
        return Shares(one.disk_high_share, one.disk_critical_share, one.disk_eased_share)

    async def run(self) -> None:
        """Look until cancelled; a log that is away is looked at later."""
        while True:
            try:
                await self.look()
            except _UNCERTAIN as error:
                _LOGGER.info("the log's disk was not looked at: %s", error)
            await asyncio.sleep(self.configured().disk_look_seconds)

    async def look(self) -> Pressure:
        """Look once: shrink or grow by a step, and commit what changed. Gives the pressure."""
        log = self.log()
        used = await self._used(log.client)
        writer = await SoloWriter.open(log, self.author, "process:supervisor", STORAGE_ADDRESS)
        record = writer.entity.state
        assert isinstance(record, Storage), "it is the storage's record"
        pressure = pressure_at(used.share, record.pressure, self.shares)
        rooms = await self._make_room(log.client, used, pressure)
        if pressure != record.pressure:
            await writer.give(RecordStorage(fact=_changed(pressure, used, rooms)))
        return pressure

    async def _used(self, client: Client) -> Used:
        if not self.configured().url:
            disk = await asyncio.to_thread(shutil.disk_usage, self.folder)
            total = disk.used + disk.free
            return Used(disk.used / max(1, total), disk.free)
        account = await client.jsm().account_info()
        most = int(account.limits.max_storage or 0)
        if most <= 0:
            return Used(0.0, 0)
        return Used(min(1.0, account.storage / most), max(0, most - account.storage))

    async def _make_room(self, client: Client, used: Used, pressure: Pressure) -> Rooms:
        before = await rooms_of(client)
        after = before
        if used.share >= self.shares.high:
            after = shrunk(before)
        elif pressure == "none":
            limits = self.configured().limits()
            after = grown(before, limits.telemetry_bytes_max, limits.checkpoint_bytes_max)
        return Rooms(
            await _limit(client, TELEMETRY_STREAM, before.telemetry, after.telemetry),
            await _limit(client, CHECKPOINT_STREAM, before.checkpoints, after.checkpoints),
        )


async def rooms_of(client: Client) -> Rooms:
    """Give what the streams that may shrink have."""
    return Rooms(await _room(client, TELEMETRY_STREAM), await _room(client, CHECKPOINT_STREAM))


async def _room(client: Client, stream: str) -> Room:
    info = await ask_streams(client, f"INFO.{stream}", {})
    return Room(int(info["state"]["bytes"]), int(info["config"]["max_bytes"]))


async def _limit(client: Client, stream: str, before: Room, after: Room) -> Room:
    """Change a stream's limit; gives what it has then. A server may refuse to promise so much."""
    if before.limit == after.limit:
        return before
    config = (await ask_streams(client, f"INFO.{stream}", {}))["config"]
    try:
        await ask_streams(client, f"UPDATE.{stream}", {**config, "max_bytes": after.limit})
    except APIError as error:
        _LOGGER.info("%s stays at %d bytes: %s", stream, before.limit, error.description)
        return before
    return after


def _changed(pressure: Pressure, used: Used, rooms: Rooms) -> StoragePressureChanged:
    return StoragePressureChanged(
        pressure=pressure,
        used_share=used.share,
        free_bytes=used.free_bytes,
        telemetry_bytes_max=max(1, rooms.telemetry.limit),
        checkpoint_bytes_max=max(1, rooms.checkpoints.limit),
    )
