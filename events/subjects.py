"""Subjects: the names under which commits, telemetry, checkpoints and commands travel."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from events.address import EntityAddress, InvalidAddressError, bucket_of, decode_token

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE_STREAM = "STANDFAST_STATE"
TELEMETRY_STREAM = "STANDFAST_TELEMETRY"
CHECKPOINT_STREAM = "STANDFAST_CHECKPOINTS"

ENTITIES_REMEMBERED = 16_384
_STATE_TOKENS = 4
STATE_SUBJECTS = "sf.>"
TELEMETRY_SUBJECTS = "sft.>"
CHECKPOINT_SUBJECTS = "sfk.>"


@lru_cache(ENTITIES_REMEMBERED)
def state_subject(entity: EntityAddress) -> str:
    """Give the subject of an entity's commits: `sf.<kind>.<bucket>.<id>`."""
    token = entity.token
    return f"sf.{entity.kind}.{bucket_of(token):02x}.{token}"


def state_filter(kind: str, bucket: int | None = None) -> str:
    """Give the filter for the commits of a kind, or of one of its buckets."""
    return f"sf.{kind}.>" if bucket is None else f"sf.{kind}.{bucket:02x}.>"


@lru_cache(ENTITIES_REMEMBERED)
def entity_of(subject: str) -> EntityAddress:
    """Read an entity's address from the subject of its commits. Raises `InvalidAddressError`."""
    parts = subject.split(".")
    if len(parts) != _STATE_TOKENS or parts[0] != "sf":
        message = f"a state subject is sf.<kind>.<bucket>.<id>, not {subject!r}"
        raise InvalidAddressError(message)
    entity = EntityAddress(parts[1], decode_token(parts[3]))
    if state_subject(entity) != subject:
        message = f"{entity} has its commits under {state_subject(entity)}, not under {subject!r}"
        raise InvalidAddressError(message)
    return entity


def has_wildcard(subject: str) -> bool:
    """Say whether a filter can match more than one entity's subject."""
    return subject.endswith(">") or "*" in subject


def prefixes_of(filters: Sequence[str]) -> tuple[str, ...]:
    """Give how all subjects begin that any of the filters matches; nothing if that says too little.

    It says all where each filter ends with its only wildcard, as in `sf.alert.>`.
    """
    prefixes = tuple(one[:-1] for one in filters if one.endswith(".>"))
    says_all = len(prefixes) == len(filters) and not any(map(has_wildcard, prefixes))
    return prefixes if says_all else ()


@lru_cache(ENTITIES_REMEMBERED)
def bucket_in(subject: str) -> tuple[str, int]:
    """Read kind and bucket from the subject of a commit; -1 where it names no bucket."""
    parts = subject.split(".")
    try:
        return parts[1], int(parts[2], 16)
    except (IndexError, ValueError):
        return "", -1


def telemetry_subject(producer: str, name: str) -> str:
    """Give the subject of a producer's telemetry: `sft.<producer>.<name>`."""
    return f"sft.{producer}.{name}"


def checkpoint_subject(kind: str, bucket: int, part: int) -> str:
    """Give the subject of one part of a bucket's checkpoint: `sfk.<kind>.<bucket>.<part>`."""
    return f"sfk.{kind}.{bucket:02x}.{part}"


def command_subject(entity: EntityAddress) -> str:
    """Give the subject of commands to an entity: `sfc.<kind>.<bucket>.<id>`."""
    token = entity.token
    return f"sfc.{entity.kind}.{bucket_of(token):02x}.{token}"


def command_filter(kind: str, bucket: int | None = None) -> str:
    """Give the filter for commands to a kind, or to one of its buckets."""
    return f"sfc.{kind}.>" if bucket is None else f"sfc.{kind}.{bucket:02x}.>"


def executor_subject(executor: str) -> str:
    """Give the subject on which an executor is handed intents."""
    return f"sfx.{executor}"


def control_subject(process: str, verb: str) -> str:
    """Give the subject of a control request to one process: `sfp.<process>.<verb>`."""
    return f"sfp.{process}.{verb}"


STOP_CHILDREN_SUBJECT = control_subject("executor", "stop-children")
PROJECTED_SUBJECT = "sfn.projected"
GENERATION_SUBJECT = "sfn.generation"
