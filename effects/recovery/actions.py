"""`process.start`, `process.stop`, `process.restart`: done twice they are as done once.

A child that one of them starts has `STANDFAST_SERVICE`, `STANDFAST_IDEMPOTENCY_KEY` and
`STANDFAST_FENCE` in its environment; one that is started with Standfast has none of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from effects.contract import Assignment, Failed, Result, Succeeded
from effects.recovery.child import (
    ChildSpec,
    Exited,
    NeverStarted,
    Refused,
    Running,
    Zombie,
)
from effects.secrets import SecretUnavailableError, resolve_all
from events.service import ServiceSettings

if TYPE_CHECKING:
    from datetime import datetime

    from effects.contract import Guard, Progress
    from effects.recovery.process import ChildProcesses
    from events.service import ChildProcess

SettingsOf = Callable[[str], Awaitable[ServiceSettings | None]]
"""Gives the newest settings of a service, or None where it is not watched."""

Started = Callable[[str], None]
"""Told the service whose child runs now."""


def child_spec(service: str, process: ChildProcess) -> ChildSpec | Failed:
    """Give what is to be run for a service. The child has the service's name."""
    try:
        return ChildSpec(
            name=service,
            command=process.command,
            working_directory=Path(process.working_directory or "/"),
            environment=resolve_all(process.environment),
            stop_signal=process.stop_signal,  # type: ignore[arg-type]  # read by its name
            stop_timeout_seconds=process.stop_timeout_seconds,
            log_path=Path(process.log_path) if process.log_path else None,
            user=process.user or None,
        )
    except SecretUnavailableError as error:
        return Failed(f"{service} can't be started: {error}")
    except ValidationError as error:
        places = ", ".join(str(one["loc"][0]) for one in error.errors(include_input=False))
        return Failed(f"{service} can't be a child: wrong {places}", permanent=True)


@dataclass(frozen=True, slots=True)
class _ChildAction:
    """What the three have in common: whose child it is."""

    children: ChildProcesses
    settings_of: SettingsOf
    started: Started
    repeatable: bool = True
    checkable: bool = True

    async def prepare(self, assignment: Assignment) -> ChildSpec | Failed:
        """Find out what the child is."""
        service = assignment.text("service")
        settings = await self.settings_of(service)
        if settings is None:
            return Failed(f"no service {service!r} is configured")
        if settings.process is None:
            name = assignment.intent.effect
            return Failed(f"{name} needs {service}.process, which is not set", permanent=True)
        spec = child_spec(service, settings.process)
        return spec if isinstance(spec, Failed) else _following_from(spec, assignment)

    async def undo(self, prepared: ChildSpec) -> bool:
        """A child that was stopped or started stays so."""
        del prepared
        return False

    def _running(self, assignment: Assignment) -> Running | None:
        look = self.children.look(assignment.text("service"))
        return look if isinstance(look, Running) else None

    async def _start(self, spec: ChildSpec, guard: Guard) -> Result:
        guard.step(f"start {spec.name}")
        child = await self.children.start(spec)
        if isinstance(child, Refused):
            return Failed(child.reason)
        self.started(spec.name)
        was = "runs already" if child.is_adopted else "was started"
        return Succeeded(f"{spec.name} {was} as process {child.pid}")

    async def _stop(self, spec: ChildSpec, guard: Guard) -> Failed | None:
        guard.step(f"stop {spec.name}")
        stopped = await self.children.stop(spec.name)
        return Failed(stopped.reason) if isinstance(stopped, Refused) else None


def _following_from(spec: ChildSpec, assignment: Assignment) -> ChildSpec:
    """Let a child know by its environment which wish it is started by."""
    environment = {**spec.environment, **assignment.environment()}
    return spec.model_copy(update={"environment": environment})


class StartProcess(_ChildAction):
    """Starts the child of a service, or finds it running."""

    async def run(self, prepared: ChildSpec, guard: Guard, progress: Progress) -> Result:
        """Start it."""
        del progress
        return await self._start(prepared, guard)

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """It was started if it runs, no matter since when."""
        del began
        running = self._running(assignment)
        return _runs(assignment, running) if running else _not_done(assignment)


class RestartProcess(_ChildAction):
    """Stops what runs of a service's child, and starts it."""

    async def run(self, prepared: ChildSpec, guard: Guard, progress: Progress) -> Result:
        """Stop and start."""
        refused = await self._stop(prepared, guard)
        if refused is not None:
            return refused
        progress(f"{prepared.name} is stopped", 0.5)
        return await self._start(prepared, guard)

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """It was restarted if it runs since after the beginning."""
        running = self._running(assignment)
        if running is not None and running.started_seconds >= began.timestamp():
            return _runs(assignment, running)
        return _not_done(assignment)


class StopProcess(_ChildAction):
    """Stops the child of a service and all it started."""

    async def run(self, prepared: ChildSpec, guard: Guard, progress: Progress) -> Result:
        """Stop it."""
        del progress
        refused = await self._stop(prepared, guard)
        return refused or Succeeded(f"{prepared.name} is stopped")

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """It was stopped if it does not run."""
        del began
        look = self.children.look(assignment.text("service"))
        match look:
            case Exited() | NeverStarted() | Zombie():
                return Succeeded(f"{assignment.text('service')} does not run")
            case Running():
                return _not_done(assignment)


def _runs(assignment: Assignment, running: Running) -> Succeeded:
    return Succeeded(f"{assignment.text('service')} runs as process {running.pid}")


def _not_done(assignment: Assignment) -> Failed:
    name = assignment.intent.effect
    return Failed(f"the executor ended before {name} was done")
