"""What a Standfast says has happened to an entity, asked of its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.standing import Standing


async def head(standing: Standing) -> int:
    """Give the newest sequence that the pages know."""
    found = await standing.get("/api/events?limit=1")
    return int(found["events"][0]["sequence"])


async def facts_of(standing: Standing, kind: str, entity: str) -> list[dict[str, Any]]:
    """Give an entity's facts, oldest first, without the probes that were asked for."""
    return _in_order(await standing.get(_path(kind, entity)))


async def since(standing: Standing, kind: str, entity: str, sequence: int) -> list[str]:
    """Give the types of an entity's facts after a sequence, oldest first."""
    return _types_after(await standing.get(_path(kind, entity)), sequence)


async def comes_to(
    standing: Standing, kind: str, entity: str, sequence: int, wanted: list[str]
) -> None:
    """Wait until an entity's facts after a sequence are these: pages run behind the log."""
    path = _path(kind, entity)
    await standing.wait_for(path, lambda answer: _types_after(answer, sequence) == wanted)


def types(facts: list[dict[str, Any]]) -> list[str]:
    """Give the types of facts in short, as `service.went_down`."""
    return [one["type"].removeprefix("standfast.").removesuffix(".v1") for one in facts]


def _path(kind: str, entity: str) -> str:
    return f"/api/events?kind={kind}&id={entity}&limit=1000"


def _in_order(answer: Any) -> list[dict[str, Any]]:
    facts = [one for one in answer["events"] if "probe_requested" not in one["type"]]
    return sorted(facts, key=lambda one: int(one["sequence"]))


def _types_after(answer: Any, sequence: int) -> list[str]:
    return types([one for one in _in_order(answer) if one["sequence"] > sequence])
