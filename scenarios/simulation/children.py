"""The children of the executor: the processes of the simulated services."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.recovery.child import Child, Exited, Running
from events.service import (
    ChildProcess,
    RecoveryAction,
    ServiceSettings,
    TcpCheck,
)

if TYPE_CHECKING:
    from random import Random

    from effects.recovery.child import ChildSpec, Look
    from scenarios.simulation.world import World

STOP_SECONDS = (0.05, 3.0)
START_SECONDS = 0.05


@dataclass(slots=True)
class SimulatedChildren:
    """Looks at, starts and stops the processes of the world."""

    world: World
    chance: Random

    def look(self, name: str) -> Look:
        """Say what a child is found to be."""
        service = self.world.services[name]
        if not service.pid or service.started is None:
            return Exited(code=None)
        return Running(pid=service.pid, started_seconds=service.started.timestamp())

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child, or find it running."""
        await asyncio.sleep(START_SECONDS)
        runs = self.world.services[spec.name].pid > 0
        service = self.world.start(spec.name)
        await asyncio.sleep(START_SECONDS)
        return Child(
            name=spec.name, pid=service.pid or 1, run="", command=spec.command, is_adopted=runs
        )

    async def stop(self, name: str) -> None:
        """Stop a child."""
        await asyncio.sleep(self.chance.uniform(*STOP_SECONDS))
        self.world.stop(name)

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
