"""The world that is watched: services that need each other, fail, and are mended or not."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from scenarios.simulation.process import true_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Kind = Literal["crash", "hang", "stubborn", "passing", "broken"]
KINDS: tuple[Kind, ...] = ("crash", "crash", "hang", "stubborn", "passing", "passing", "broken")
NEEDS_MAX = 3
START_SECONDS = (0.5, 5.0)
SLOW_START_SECONDS = (20.0, 80.0)
SLOW_START_SHARE = 0.15
PASSING_SECONDS = (5.0, 300.0)
BROKEN_SECONDS = (600.0, 3600.0)
AGAIN_SECONDS = (1.0, 20.0)
AGAIN_MAX = 3


@dataclass(slots=True)
class Service:
    """One service: its process, and what is wrong with it now. `needs` are what it can't miss."""

    name: str
    needs: tuple[str, ...]
    pid: int = 0
    started: datetime | None = None
    is_starting: bool = False
    hangs: bool = False
    is_broken: bool = False
    fails_again: int = 0
    start_number: int = 0
    mends: int = 0

    @property
    def works(self) -> bool:
        """Say whether it does its own work."""
        return self.pid > 0 and not (self.is_starting or self.hangs or self.is_broken)


@dataclass(slots=True)
class World:
    """All services, and how they truly are.

    `changed(service)` is called whenever the health of one changes.
    """

    chance: Random
    services: dict[str, Service]
    changed: list[Callable[[str], None]] = field(default_factory=list)
    _needed_by: dict[str, list[str]] = field(default_factory=dict)
    _healthy: dict[str, bool] = field(default_factory=dict)
    _last_pid: int = 100
    _context: Context = field(default_factory=Context)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        """Everything works at first."""
        for service in self.services.values():
            for need in service.needs:
                self._needed_by.setdefault(need, []).append(service.name)
            self._run(service)
            service.is_starting = False
        self._healthy = dict.fromkeys(self.services, True)

    def is_healthy(self, name: str) -> bool:
        """Say whether a probe of a service would succeed."""
        return self._healthy[name]

    # --- what goes wrong -----------------------------------------------------------------

    def fail(self, name: str, kind: Kind) -> None:
        """Let something go wrong with a service."""
        service = self.services[name]
        match kind:
            case "crash" | "stubborn":
                service.fails_again = self.chance.randint(1, AGAIN_MAX) if kind != "crash" else 0
                service.pid = 0
            case "hang":
                service.hangs = True
            case "passing":
                service.hangs = True
                self._later(self.chance.uniform(*PASSING_SECONDS), self.mend, name)
            case "broken":
                service.is_broken = True
                self._later(self.chance.uniform(*BROKEN_SECONDS), self.mend, name)
        self._look(name)

    def mend(self, name: str) -> None:
        """Let it be right again, as by the hand of a person."""
        service = self.services[name]
        service.hangs = service.is_broken = False
        service.fails_again = 0
        service.mends += 1
        if not service.pid:
            self._run(service)
        self._look(name)

    def mend_all(self) -> None:
        """Let everything be right again."""
        for name in self.services:
            self.mend(name)

    # --- what is done to it --------------------------------------------------------------

    def start(self, name: str) -> Service:
        """Start the process of a service, unless it runs."""
        service = self.services[name]
        if not service.pid:
            self._run(service)
            self._look(name)
        return service

    def stop(self, name: str) -> None:
        """Stop the process of a service."""
        service = self.services[name]
        service.pid = 0
        service.hangs = False
        self._look(name)

    def _run(self, service: Service) -> None:
        self._last_pid += 1
        service.pid, service.started = self._last_pid, true_time(self._loop.time())
        service.is_starting = True
        service.start_number += 1
        is_slow = self.chance.random() < SLOW_START_SHARE
        seconds = self.chance.uniform(*(SLOW_START_SECONDS if is_slow else START_SECONDS))
        self._later(seconds, self._has_started, service, service.start_number)

    def _has_started(self, service: Service, number: int) -> None:
        if service.start_number != number or not service.pid:
            return
        service.is_starting = False
        if service.fails_again:
            service.fails_again -= 1
            seconds = self.chance.uniform(*AGAIN_SECONDS)
            self._later(seconds, self._crash_again, service, (number, service.mends))
        self._look(service.name)

    def _crash_again(self, service: Service, life: tuple[int, int]) -> None:
        if (service.start_number, service.mends) == life and service.pid:
            service.pid = 0
            self._look(service.name)

    def _later(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        """Let something happen in the world, whoever caused it."""
        self._loop.call_later(seconds, what, *arguments, context=self._context)

    # --- how it looks --------------------------------------------------------------------

    def _look(self, name: str) -> None:
        """See whether a service and what needs it are healthy now."""
        service = self.services[name]
        healthy = service.works and all(self._healthy[need] for need in service.needs)
        if healthy == self._healthy[name]:
            return
        self._healthy[name] = healthy
        for listener in self.changed:
            listener(name)
        for other in self._needed_by.get(name, ()):
            self._look(other)


def draw_services(chance: Random, count: int) -> dict[str, Service]:
    """Draw services, each of which needs some of those before it."""
    services: dict[str, Service] = {}
    for number in range(count):
        names = list(services)
        wanted = min(len(names), chance.choice((0, 0, 1, 1, 2, NEEDS_MAX)))
        name = f"s{number:03d}"
        services[name] = Service(name, tuple(sorted(chance.sample(names, wanted))))
    return services
