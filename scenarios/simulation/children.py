"""The children of the executor: the processes of the simulated services."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.recovery.actions import RestartProcess, StartProcess, StopProcess
from effects.recovery.child import Child, Exited, Running
from events.service import (
    ChildProcess,
    RecoveryAction,
    ServiceSettings,
    TcpCheck,
)
from scenarios.checker.records import Delivery

if TYPE_CHECKING:
    from random import Random

    from effects.contract import Assignment, Failed
    from effects.recovery.child import ChildSpec, Look
    from scenarios.simulation.record import Record
    from scenarios.simulation.world import World

PROCESSES = "processes"
"""Under this name the world writes down what was done to its processes."""

STOP_SECONDS = (0.05, 3.0)
START_SECONDS = 0.05


@dataclass(slots=True)
class Hand:
    """Whoever touches a process: on whose errand, and whether that was written down already."""

    assignment: Assignment
    is_known: bool = False


HAND: ContextVar[Hand] = ContextVar("hand")


class _Watched:
    """Shows whose hand it is that touches a process."""

    async def prepare(self, assignment: Assignment) -> ChildSpec | Failed:
        """Prepare it as it is."""
        HAND.set(Hand(assignment))
        prepared: ChildSpec | Failed = await super().prepare(assignment)  # type: ignore[misc]
        return prepared


class WatchedStart(_Watched, StartProcess):
    """Starts a process, watched."""


class WatchedStop(_Watched, StopProcess):
    """Stops a process, watched."""


class WatchedRestart(_Watched, RestartProcess):
    """Restarts a process, watched."""


@dataclass(slots=True)
class SimulatedChildren:
    """Looks at, starts and stops the processes of the world, which write down that it was done."""

    world: World
    chance: Random
    record: Record

    def look(self, name: str) -> Look:
        """Say what a child is found to be."""
        service = self.world.services[name]
        if not service.pid or service.started is None:
            return Exited(code=None)
        return Running(pid=service.pid, started_seconds=service.started.timestamp())

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child, or find it running."""
        await asyncio.sleep(START_SECONDS)
        self._touched(spec.name)
        runs = self.world.services[spec.name].pid > 0
        service = self.world.start(spec.name)
        await asyncio.sleep(START_SECONDS)
        return Child(
            name=spec.name, pid=service.pid or 1, run="", command=spec.command, is_adopted=runs
        )

    async def stop(self, name: str) -> None:
        """Stop a child, which takes its time."""
        self._touched(name)
        await asyncio.sleep(self.chance.uniform(*STOP_SECONDS))
        self.world.stop(name)

    def _touched(self, service: str) -> None:
        """Write an errand down when it touches a process for the first time."""
        hand = HAND.get()
        if hand.is_known:
            return
        hand.is_known = True
        assignment = hand.assignment
        self.record.delivered(
            Delivery(
                receiver=PROCESSES,
                key=assignment.key,
                fence=assignment.fence,
                subject=service,
                status=assignment.intent.effect,
                time=self.record.now(),
                is_action=True,
            )
        )

    async def settings_of(self, service: str) -> ServiceSettings | None:
        """Give the settings of a service."""
        known = self.world.services.get(service)
        return None if known is None else settings_of(known.needs)


def settings_of(needs: tuple[str, ...]) -> ServiceSettings:
    """Give the settings of a service that needs others."""
    return ServiceSettings(
        checks=(TcpCheck(name="port", port=1),),
        depends_on=needs,
        process=ChildProcess(command=("serve",)),
        recovery=RECOVERY,
    )


RECOVERY = RecoveryAction(timeout_seconds=30.0, verify_seconds=60.0, attempts_max=2)
