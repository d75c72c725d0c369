"""Every effect keeps one contract: it refuses, obeys its guard, and knows what it can verify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from actors.alert import FireAlert
from actors.runtime.executor.carrying import carry_out, find_out
from effects.catalogue import LATER, find_effect
from effects.clock import SystemClock
from effects.contract import (
    Assignment,
    Cancelled,
    CancelledByRequestError,
    Effect,
    Failed,
    Guard,
    OverdueError,
    Progress,
    Result,
    Succeeded,
    Unknown,
)
from effects.notifiers.notify import Notify
from effects.notifiers.settings import WebhookReceiver
from effects.recovery.actions import RestartProcess, StartProcess, StopProcess
from effects.recovery.child import Running
from effects.recovery.command import RunCommand
from effects.recovery.process import ChildProcesses
from events.address import EntityAddress
from events.effect import Argument, Intent
from events.service import ChildProcess, RecoveryAction, ServiceSettings, TcpCheck
from tests.integration.effect_world import a_receiver, a_world

if TYPE_CHECKING:
    from pathlib import Path

    from events.log import Log

ALERT = EntityAddress("alert", "ServiceDown:db")
RECOVERY = EntityAddress("recovery", "i:db")


@dataclass(slots=True)
class ShiftedClock:
    """The system's clock, moved by the test."""

    wall_seconds: float = 0.0
    monotonic_shift_seconds: float = 0.0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.wall_seconds)

    def monotonic_seconds(self) -> float:
        return SystemClock().monotonic_seconds() + self.monotonic_shift_seconds


@dataclass(slots=True)
class Case:
    """One effect in a world of its own. `done` says whether the world has felt it."""

    name: str
    effect: Effect[Any]
    entity: EntityAddress
    arguments: dict[str, Argument]
    stranger: dict[str, Argument]
    done: Callable[[], bool]
    progress: list[str] = field(default_factory=list)

    def assignment(self, **arguments: Argument) -> Assignment:
        intent = Intent(
            number=1,
            effect=self.name,
            executor="executor",
            deadline=datetime.now(UTC) + timedelta(seconds=20),
            arguments={**self.arguments, **arguments},
        )
        return Assignment(self.entity, intent, fence=7)

    def told(self, step: str, fraction: float | None = None) -> None:
        del fraction
        self.progress.append(step)

    async def run(self, guard: Guard) -> Result:
        return await carry_out(
            {self.name: self.effect}, self.assignment(), guard, self.told, nothing
        )


async def nothing() -> None:
    """What began is put down nowhere."""


def untold(step: str, fraction: float | None = None) -> None:
    """Nobody listens."""
    del step, fraction


def guard_of(seconds: float = 20.0, clock: ShiftedClock | None = None) -> Guard:
    clock = clock or ShiftedClock()
    return Guard(clock, clock.now() + timedelta(seconds=seconds))


PROCESS_EFFECTS: dict[str, type[Any]] = {
    "process.start": StartProcess,
    "process.stop": StopProcess,
    "process.restart": RestartProcess,
}
NAMES = (*PROCESS_EFFECTS, "command.run", "notify")


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


def settings(folder: Path, **more: Any) -> ServiceSettings:
    script = ("/bin/sh", "-c", f"echo ran >> {folder}/ledger")
    return ServiceSettings(
        checks=(TcpCheck(name="port", port=1),),
        process=ChildProcess(command=("sleep", "600")),
        recovery=RecoveryAction(effect="command.run", command=script),
        **more,
    )


def known(folder: Path) -> Callable[[str], Any]:
    async def settings_of(service: str) -> ServiceSettings | None:
        return settings(folder) if service == "db" else None

    return settings_of


def a_command(folder: Path) -> Case:
    effect = RunCommand(known(folder))
    ledger = folder / "ledger"
    mine: dict[str, Argument] = {"service": "db"}
    return Case("command.run", effect, RECOVERY, mine, {"service": "x"}, ledger.exists)


async def a_child(name: str, children: ChildProcesses) -> Case:
    effect = PROCESS_EFFECTS[name](children, known(children.directory), lambda _name: None)
    first = 0
    if name != "process.start":
        prepared = await StartProcess(
            children, known(children.directory), lambda _name: None
        ).prepare(an_assignment("process.start", {"service": "db"}))
        assert not isinstance(prepared, Failed)
        await children.start(prepared)
        first = pid_of(children)

    def done() -> bool:
        return pid_of(children) != first

    return Case(name, effect, RECOVERY, {"service": "db"}, {"service": "x"}, done)


def an_assignment(name: str, arguments: dict[str, Argument]) -> Assignment:
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    intent = Intent(
        number=1, effect=name, executor="executor", deadline=deadline, arguments=arguments
    )
    return Assignment(RECOVERY, intent, fence=7)


def pid_of(children: ChildProcesses) -> int:
    look = children.look("db")
    return look.pid if isinstance(look, Running) else 0


class a_notice:  # noqa: N801  (it is used as a function)
    """A notice of an alert that fires in a real log, to a real receiver."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._receiver = a_receiver()

    async def __aenter__(self) -> Case:
        async with a_world(self._log) as world:
            labels = {"alertname": "ServiceDown", "service": "db"}
            command = FireAlert(labels=labels, severity="error", receivers=())
            assert (await world.commands.send(ALERT, command)).accepted
        ops = await self._receiver.__aenter__()
        receivers = {"ops": WebhookReceiver.model_validate(ops.settings)}
        self._effect = Notify(self._log, receivers)
        arguments: dict[str, Argument] = {
            "receiver": "ops",
            "status": "firing",
            "episode": 1,
            "level": 0,
            "key": "1-firing-0",
        }
        stranger: dict[str, Argument] = {"receiver": "opps"}
        return Case("notify", self._effect, ALERT, arguments, stranger, lambda: bool(ops.ledger))

    async def __aexit__(self, *error: object) -> None:
        await self._effect.close()
        await self._receiver.__aexit__(None, None, None)


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


# --- what the executor makes of effects that break ----------------------------------------------


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
