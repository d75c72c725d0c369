"""The three streams of a log and their settings; metadata of the state stream say whose it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nats.js.api import (
    DiscardPolicy,
    PersistMode,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import NotFoundError, ServerError

from events.identity import LogIdentity, identity_in, metadata_of
from events.ids import new_id
from events.state_stream import find_state_stream, reopen_state_stream
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
    from nats.js.manager import JetStreamManager

__all__ = ["LogIdentity", "StreamLimits", "ensure_streams", "identity_of"]

CHECKPOINTS_KEPT = 24
BYTES_MIN = 4 * 1024 * 1024
NO_STORAGE = 10047


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
    return identity_in(info.config.metadata or {})


async def ensure_streams(client: Client, limits: StreamLimits) -> LogIdentity:
    """Create the streams that are missing, and give the log's identity.

    A state stream that a restore closed and did not replace is opened again.
    """
    manager = client.jsm()
    state = await find_state_stream(client) or await reopen_state_stream(client)
    if state is None:
        await manager.add_stream(_state(limits))
    for config in (_telemetry(limits), _checkpoints(limits)):
        assert config.name is not None
        try:
            await manager.stream_info(config.name)
        except NotFoundError:
            await _add_as_large_as_it_may_be(manager, config)
    state = state or await find_state_stream(client)
    assert state is not None, "it is there by now"
    return state.identity


async def _add_as_large_as_it_may_be(manager: JetStreamManager, config: StreamConfig) -> None:
    """Create a stream; a server on a small disk refuses large limits, and takes smaller ones."""
    while True:
        try:
            await manager.add_stream(config)
        except ServerError as error:
            limit = config.max_bytes or 0
            if error.err_code != NO_STORAGE or limit <= BYTES_MIN:
                raise
            config = replace(config, max_bytes=max(BYTES_MIN, limit // 2))
        else:
            return


async def telemetry_identity(client: Client, log: LogIdentity) -> LogIdentity:
    """Give whose telemetry it is: it is not restored with the log, and has lives of its own."""
    try:
        metadata = (await client.jsm().stream_info(TELEMETRY_STREAM)).config.metadata or {}
        return identity_in(metadata)
    except KeyError:  # it was made by an earlier build, together with its log
        return log


def state_settings(limits: StreamLimits) -> dict[str, Any]:
    """Give the settings of a state stream, as the server takes them."""
    return _state(limits).as_dict()


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
        metadata=metadata_of(LogIdentity(new_id(), 1)),
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
        metadata=metadata_of(LogIdentity(new_id(), 1)),
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
