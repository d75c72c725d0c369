"""Every effect keeps one contract: it refuses, obeys its guard, and knows what it can verify."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from effects.contract import (
    Cancelled,
    CancelledByRequestError,
    Failed,
    OverdueError,
    Succeeded,
    Unknown,
)
from effects.notifiers.notify import Notify
from effects.notifiers.settings import WebhookReceiver
from effects.recovery.actions import StartProcess
from effects.recovery.command import RunCommand
from effects.recovery.process import ChildProcesses
from events.effect import Argument
from events.service import RecoveryAction, ServiceSettings
from tests.contract.effect_cases import (
    NAMES,
    Case,
    ShiftedClock,
    a_child,
    a_command,
    a_notice,
    an_assignment,
    guard_of,
    settings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from events.log import Log


@pytest.fixture(params=NAMES)
async def case(request: pytest.FixtureRequest, log: Log, tmp_path: Path) -> AsyncIterator[Case]:
    name: str = request.param
    if name == "notify":
        async with a_notice(log) as made:
            yield made
    elif name == "command.run":
        yield a_command(tmp_path)
    else:
        children = ChildProcesses(tmp_path)
        yield await a_child(name, children)
        await children.stop("db")


async def test_refuses_what_it_does_not_know_and_touches_nothing(case: Case) -> None:
    prepared = await case.effect.prepare(case.assignment(**case.stranger))
    assert isinstance(prepared, Failed)
    assert not case.done()


async def test_preparing_touches_nothing(case: Case) -> None:
    prepared = await case.effect.prepare(case.assignment())
    assert not isinstance(prepared, Failed), prepared
    assert not case.done()


async def test_happens_and_says_so(case: Case) -> None:
    assert isinstance(await case.run(guard_of()), Succeeded)
    assert case.done()


async def test_takes_no_step_after_its_deadline(case: Case) -> None:
    clock = ShiftedClock()
    guard = guard_of(clock=clock)
    prepared = await case.effect.prepare(case.assignment())
    clock.wall_seconds = 60.0
    with pytest.raises(OverdueError):
        await case.effect.run(prepared, guard, case.told)
    assert not case.done()


async def test_a_clock_that_was_set_back_gives_no_more_time(case: Case) -> None:
    clock = ShiftedClock()
    guard = guard_of(clock=clock)
    clock.wall_seconds, clock.monotonic_shift_seconds = -3600.0, 60.0
    assert isinstance(await case.run(guard), Failed)
    assert not case.done()


async def test_takes_no_step_once_its_stop_is_asked_for(case: Case) -> None:
    guard = guard_of()
    prepared = await case.effect.prepare(case.assignment())
    guard.cancel()
    with pytest.raises(CancelledByRequestError):
        await case.effect.run(prepared, guard, case.told)
    assert await case.run(guard) == Cancelled("it was stopped before it began", undone=True)
    assert not case.done()


async def test_after_a_crash_it_can_tell_or_says_that_it_cannot(case: Case) -> None:
    began = datetime.now(UTC)
    before = await case.effect.verify(case.assignment(), began)
    await case.run(guard_of())
    after = await case.effect.verify(case.assignment(), began)
    if case.effect.checkable:
        assert isinstance(before, Failed)
        assert isinstance(after, Succeeded)
    else:
        assert isinstance(before, Unknown)
        assert isinstance(after, Unknown)


async def test_what_is_repeatable_may_be_done_twice(case: Case) -> None:
    results = [await case.run(guard_of()) for _ in range(2 if case.effect.repeatable else 1)]
    assert all(isinstance(result, Succeeded) for result in results)


async def test_what_cannot_be_undone_says_so(case: Case) -> None:
    assert not await case.effect.undo(await case.effect.prepare(case.assignment()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"process": None}, "process.start needs db.process, which is not set"),
        ({"process": {"command": ("x",), "stop_signal": "SIGNONE"}}, "wrong stop_signal"),
        ({"process": {"command": ("x",), "environment": {"A": "env:NOT_SET_AT_ALL"}}}, "not set"),
    ],
)
async def test_a_child_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    async def settings_of(_service: str) -> ServiceSettings:
        given = settings(tmp_path).model_dump() | changes
        return ServiceSettings.model_validate(given)

    effect = StartProcess(ChildProcesses(tmp_path), settings_of, lambda _name: None)
    refused = await effect.prepare(an_assignment("process.start", {"service": "db"}))
    assert isinstance(refused, Failed)
    assert reason in refused.reason


@pytest.mark.parametrize(
    ("command", "reason"),
    [((), "has no recovery.command"), (("/no/such/program",), "was not found")],
)
async def test_a_command_that_cannot_be_is_refused_for_good(
    tmp_path: Path, command: tuple[str, ...], reason: str
) -> None:
    async def settings_of(_service: str) -> ServiceSettings:
        action = RecoveryAction(effect="command.run", command=command)
        return settings(tmp_path).model_copy(update={"recovery": action})

    refused = await RunCommand(settings_of).prepare(an_assignment("command.run", {"service": "db"}))
    assert isinstance(refused, Failed)
    assert refused.permanent
    assert reason in refused.reason


@pytest.mark.parametrize(
    "changes", [{"status": "muted"}, {"level": "high"}, {"episode": "first"}, {"episode": 9}]
)
async def test_a_notice_that_makes_no_sense_is_refused_for_good(
    log: Log, changes: dict[str, Argument]
) -> None:
    async with a_notice(log) as case:
        refused = await case.effect.prepare(case.assignment(**changes))
    assert isinstance(refused, Failed)
    assert refused.permanent


async def test_a_notice_whose_secret_is_missing_names_the_reference_only(log: Log) -> None:
    async with a_notice(log) as case:
        assert isinstance(case.effect, Notify)
        hidden = WebhookReceiver(url="env:NOT_SET_AT_ALL")
        effect = replace(case.effect, receivers={"ops": hidden})
        result = await replace(case, effect=effect).run(guard_of())
    assert isinstance(result, Failed)
    assert "NOT_SET_AT_ALL" in result.reason
