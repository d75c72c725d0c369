"""One case of every effect, in a world of its own, and what guards it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from actors.alert import FireAlert
from actors.runtime.executor.carrying import carry_out
from effects.clock import SystemClock
from effects.contract import (
    Assignment,
    Effect,
    Failed,
    Guard,
    Result,
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
PROCESS_EFFECTS: dict[str, type[Any]] = {
    "process.start": StartProcess,
    "process.stop": StopProcess,
    "process.restart": RestartProcess,
}
NAMES = (*PROCESS_EFFECTS, "command.run", "notify")


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
