"""Bugs seeded on purpose: each takes away one thing that an invariant rests on.

They prove that checker and simulator find what they are for. Nothing of the product knows them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors.intents import Intents
from actors.recovery.states import Plan
from actors.runtime.entity import Entity
from actors.runtime.executor.executor import Executor
from actors.runtime.host import Host
from actors.runtime.timers import Timers
from effects.contract import Guard
from events.appending import EXPECTED_HEADER, Append
from events.commit import Head, digest_of
from events.effect import EffectIntended
from events.log import Log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from datetime import datetime

    from events.address import EntityAddress
    from events.base import Origin
    from events.commit import Commit

LONG_SECONDS = 1e6


@dataclass(frozen=True, slots=True)
class Patch:
    """One attribute of a class, and what is put in its place; `make` is given the original."""

    owner: type
    attribute: str
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug by its name: what is missing, how it is taken away, and which invariants that breaks.

    To find it is to see one of those `broken`; whatever else goes wrong proves nothing of it.
    """

    name: str
    missing: str
    breaks: tuple[str, ...]
    patches: tuple[Patch, ...]


def _without_fence(original: Callable[[Append], dict[str, str]]) -> Any:  # noqa: ANN401
    def headers(append: Append) -> dict[str, str]:
        return {name: one for name, one in original(append).items() if name != EXPECTED_HEADER}

    return headers


def _trusting(_original: object) -> Any:  # noqa: ANN401
    async def landed(append: Append) -> Head:
        return Head(append.commit.previous.sequence + 1, digest_of(append.payload))

    return landed


def _forgetting_marks(original: Callable[[Entity, Origin], bool]) -> Any:  # noqa: ANN401
    def has_handled(entity: Entity, origin: Origin) -> bool:
        return origin.mark is None and original(entity, origin)

    return has_handled


def _never_overdue(_original: object) -> Any:  # noqa: ANN401
    return property(lambda _guard: LONG_SECONDS)


def _taking_all(_original: object) -> Any:  # noqa: ANN401
    return lambda _executor, _errand: False


def _none_overdue(_original: object) -> Any:  # noqa: ANN401
    return lambda _intents, _now: ()


def _never_due(_original: object) -> Any:  # noqa: ANN401
    return lambda _intents: None


def _never_failing_again(_original: object) -> Any:  # noqa: ANN401
    return lambda _plan, _before: None


def _lazily(original: Callable[[Host, Sequence[Entity]], None]) -> Any:  # noqa: ANN401
    """Arm no timer when a host has read its entities: only what happens to one arms it."""

    def wake(host: Host, entities: Sequence[Entity]) -> None:
        arm = Timers.__dict__["arm"]
        setattr(Timers, "arm", _arm_nothing)  # noqa: B010  (a method is no variable for mypy)
        try:
            original(host, entities)
        finally:
            setattr(Timers, "arm", arm)  # noqa: B010

    return wake


def _arm_nothing(_timers: Timers, _address: EntityAddress, _due: datetime | None) -> None:
    return


def _skipping_wishes(original: Callable[[Log, Commit], Awaitable[Head]]) -> Any:  # noqa: ANN401
    """Keep wishes out of what is stored: their host alone knows them, and hands them over."""

    async def append(log: Log, commit: Commit) -> Head:
        facts = tuple(fact for fact in commit.facts if fact.type != EffectIntended.type)
        if not facts:
            return commit.previous
        return await original(log, replace(commit, facts=facts))

    return append


BUGS: dict[str, Bug] = {
    bug.name: bug
    for bug in (
        Bug(
            "missing-fence",
            "the fence",
            ("history",),
            (Patch(Append, "headers", _without_fence),),
        ),
        Bug(
            "missing-mark",
            "the marks of policies",
            ("history", "causes"),
            (Patch(Entity, "has_handled", _forgetting_marks),),
        ),
        Bug(
            "missing-deadline",
            "the deadline of intents",
            ("world",),
            (
                Patch(Guard, "left_seconds", _never_overdue),
                Patch(Executor, "is_overdue", _taking_all),
                Patch(Intents, "overdue", _none_overdue),
                Patch(Intents, "due", _never_due),
            ),
        ),
        Bug(
            "lost-timer",
            "the timers after a recovery",
            ("due",),
            (Patch(Host, "wake", _lazily),),
        ),
        Bug(
            "blind-acknowledgement",
            "the question what landed",
            ("acknowledged",),
            (Patch(Append, "landed", _trusting),),
        ),
        Bug(
            "skipped-intent",
            "the wish in the log, before its effect is begun and after",
            ("world", "causes"),
            (Patch(Log, "append", _skipping_wishes),),
        ),
        Bug(
            "no-turning-back",
            "the second look at what a recovery has proven",
            ("world",),
            (Patch(Plan, "failed_again", _never_failing_again),),
        ),
    )
}


class UnknownBugError(LookupError):
    """There is no such bug; the message lists those there are."""


@contextmanager
def seeded(name: str) -> Iterator[None]:
    """Put a bug into this process for as long as the block lasts. Raises `UnknownBugError`."""
    if name not in BUGS:
        message = f"there is no bug {name!r}; there are: {', '.join(BUGS)}"
        raise UnknownBugError(message)
    originals = []
    for patch in BUGS[name].patches:
        original = patch.owner.__dict__[patch.attribute]
        originals.append((patch, original))
        setattr(patch.owner, patch.attribute, patch.make(original))
    try:
        yield
    finally:
        for patch, original in originals:
            setattr(patch.owner, patch.attribute, original)
