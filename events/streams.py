"""The three streams of a log, their settings, and the log's identity in their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.js.api import (
    DiscardPolicy,
    PersistMode,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import NotFoundError

from events.ids import new_id
from events.subjects import (
    CHECKPOINT_STREAM,
    CHECKPOINT_SUBJECTS,
    STATE_STREAM,
    STATE_SUBJECTS,
    TELEMETRY_STREAM,
    TELEMETRY_SUBJECTS,
)

if TYPE_CHECKING:
    from nats.aio.client import Client

LOG_ID_KEY = "standfast-log-id"
GENERATION_KEY = "standfast-generation"
CHECKPOINTS_KEPT = 24


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Which log, and which life of it: the generation rises when the log was restored."""

    log_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What the streams may take. Ages in seconds, sizes in bytes; -1 is no limit."""

    replicas: int = 1
    state_bytes_max: int = -1
    telemetry_bytes_max: int = 1024 * 1024 * 1024
    telemetry_age_seconds: float = 86_400.0
    checkpoint_bytes_max: int = 2 * 1024 * 1024 * 1024


def identity_of(info: StreamInfo) -> LogIdentity:
    """Read the log's identity from the state stream's metadata."""
    metadata = info.config.metadata or {}
    return LogIdentity(metadata[LOG_ID_KEY], int(metadata[GENERATION_KEY]))


async def ensure_streams(client: Client, limits: StreamLimits) -> LogIdentity:
    """Create the streams that are missing, and give the log's identity."""
    manager = client.jsm()
    for config in _configurations(limits):
        assert config.name is not None
        try:
            await manager.stream_info(config.name)
        except NotFoundError:
            await manager.add_stream(config)
    return identity_of(await manager.stream_info(STATE_STREAM))


def _configurations(limits: StreamLimits) -> list[StreamConfig]:
    return [_state(limits), _telemetry(limits), _checkpoints(limits)]


def _state(limits: StreamLimits) -> StreamConfig:
    """Kept for ever; nothing can be deleted; only the leader answers."""
    return StreamConfig(
        name=STATE_STREAM,
        subjects=[STATE_SUBJECTS],
        storage=StorageType.FILE,
        num_replicas=limits.replicas,
        max_bytes=limits.state_bytes_max,
        discard=DiscardPolicy.NEW,
        deny_delete=True,
        deny_purge=True,
        allow_direct=False,
        metadata={LOG_ID_KEY: new_id(), GENERATION_KEY: "1"},
    )


def _telemetry(limits: StreamLimits) -> StreamConfig:
    """Kept for a while; the loss of its newest part by a power cut only makes NO DATA."""
    return StreamConfig(
        name=TELEMETRY_STREAM,
        subjects=[TELEMETRY_SUBJECTS],
        storage=StorageType.FILE,
        num_replicas=limits.replicas,
        max_bytes=limits.telemetry_bytes_max,
        max_age=limits.telemetry_age_seconds,
        discard=DiscardPolicy.OLD,
        persist_mode=PersistMode.ASYNC if limits.replicas == 1 else None,
    )


def _checkpoints(limits: StreamLimits) -> StreamConfig:
    """A cache: some past checkpoints of each bucket, so that a past moment is near one."""
    return StreamConfig(
        name=CHECKPOINT_STREAM,
        subjects=[CHECKPOINT_SUBJECTS],
        storage=StorageType.FILE,
        num_replicas=limits.replicas,
        max_bytes=limits.checkpoint_bytes_max,
        max_msgs_per_subject=CHECKPOINTS_KEPT,
        discard=DiscardPolicy.OLD,
        persist_mode=PersistMode.ASYNC if limits.replicas == 1 else None,
    )
