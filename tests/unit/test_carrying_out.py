"""An effect is carried out in steps, and obeys its guard between any two."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from actors.runtime.executor.carrying import carry_out, find_out
from effects.catalogue import LATER, find_effect
from effects.contract import (
    Assignment,
    Cancelled,
    Failed,
    Guard,
    Progress,
    Result,
    Unknown,
)
from tests.contract.effect_cases import (
    ShiftedClock,
    an_assignment,
    guard_of,
    nothing,
    untold,
)


@dataclass(slots=True)
class Steps:
    """An effect of two steps that waits between them, and can take the first one back."""

    between: asyncio.Event = field(default_factory=asyncio.Event)
    first_done: asyncio.Event = field(default_factory=asyncio.Event)
    steps: list[str] = field(default_factory=list)
    repeatable: bool = True
    checkable: bool = True

    async def prepare(self, assignment: Assignment) -> str | Failed:
        if assignment.text("service") == "broken":
            raise ZeroDivisionError
        return "prepared"

    async def run(self, prepared: str, guard: Guard, progress: Progress) -> Result:
        assert prepared == "prepared"
        guard.step("first")
        self.steps.append("first")
        progress("first", 0.5)
        self.first_done.set()
        await self.between.wait()
        guard.step("second")
        self.steps.append("second")
        raise RuntimeError

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        raise RuntimeError(assignment.key, began)

    async def undo(self, prepared: str) -> bool:
        self.steps.append(f"undone {prepared}")
        return True


def started(effect: Steps, guard: Guard, service: str = "db") -> asyncio.Task[Result]:
    work = carry_out(
        {"steps": effect},
        an_assignment("steps", {"service": service}),
        guard,
        untold,
        nothing,
    )
    return asyncio.ensure_future(work)


async def test_a_stop_between_two_steps_is_undone() -> None:
    effect, guard = Steps(), guard_of()
    running = started(effect, guard)
    await effect.first_done.wait()
    guard.cancel()
    effect.between.set()
    assert await running == Cancelled("it was stopped after: first", undone=True)
    assert effect.steps == ["first", "undone prepared"]


async def test_a_deadline_between_two_steps_is_unknown_and_nothing_is_undone() -> None:
    effect, clock = Steps(), ShiftedClock()
    guard = guard_of(clock=clock)
    running = started(effect, guard)
    await effect.first_done.wait()
    clock.wall_seconds = 60.0
    effect.between.set()
    assert await running == Unknown("it stopped itself at its deadline, after: first")
    assert effect.steps == ["first"]


async def test_an_effect_that_never_comes_back_is_ended_at_its_deadline() -> None:
    effect = Steps()
    assert isinstance(await started(effect, guard_of(0.2)), Unknown)


async def test_an_effect_that_breaks_is_unknown_and_in_preparing_has_failed() -> None:
    effect = Steps()
    effect.between.set()
    assert await started(effect, guard_of()) == Unknown("it broke after: second (RuntimeError)")
    broken = await started(effect, guard_of(), "broken")
    assert broken == Failed("steps broke in preparing (ZeroDivisionError)")
    verified = await find_out({"steps": effect}, an_assignment("steps", {}), datetime.now(UTC))
    assert verified == Unknown("nobody knows how steps ended (RuntimeError)")


async def test_a_journal_that_refuses_keeps_it_from_beginning() -> None:
    effect = Steps()

    async def refuse() -> None:
        raise OSError(28, "No space left on device")

    assignment = an_assignment("steps", {})
    result = await carry_out({"steps": effect}, assignment, guard_of(), untold, refuse)
    assert result == Failed("the executor's journal can't be written: No space left on device")
    assert effect.steps == []


async def test_an_effect_nobody_knows_any_more_is_unknown_after_a_crash() -> None:
    assignment = an_assignment("backup.run", {})
    result = await find_out({}, assignment, datetime.now(UTC))
    assert isinstance(result, Unknown)
    assert "known effects: none" in result.reason


@pytest.mark.parametrize("name", [*LATER, "backup.rnu"])
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    refused = find_effect({"notify": Steps()}, name)
    assert isinstance(refused, Failed)
    assert refused.permanent
    assert name in refused.reason
    assert refused.reason.endswith("known effects: notify")
