"""The way between a client and the server: in order, after a while, and gone when it is cut."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from scenarios.simulation.client import SimulatedClient
    from scenarios.simulation.process import Process
    from scenarios.simulation.server import Server

LATENCY_SECONDS = 0.0002
LATENCY_SECONDS_MORE = 0.001
RECONNECT_SECONDS = 0.2

Act = tuple["Callable[..., None]", tuple[Any, ...]]


@dataclass(slots=True)
class Weather:
    """What is wrong with a way now. Who is cut off waits as TCP does: what was sent comes later."""

    up_is_held: bool = False
    down_is_held: bool = False
    slow_seconds: float = 0.0
    acknowledgements_lost: float = 0.0


class Connection:
    """One connection. What was under way when it was cut never arrives."""

    def __init__(
        self, server: Server, client: SimulatedClient, process: Process, chance: Random
    ) -> None:
        self.server, self.client, self.process, self.chance = server, client, process, chance
        self.weather = Weather()
        self.is_open = True
        self.is_dead = False
        self._life = 0
        self._up_at = self._down_at = 0.0
        self._held_up: list[Act] = []
        self._held_down: list[Act] = []
        self._buffer: list[Act] = []
        self._loop = asyncio.get_running_loop()

    def send(self, act: Callable[..., None], *arguments: Any) -> None:
        """Let something happen at the server; kept until there is a connection."""
        if self.is_dead:
            return
        if not self.is_open:
            self._buffer.append((act, arguments))
        elif self.weather.up_is_held:
            self._held_up.append((act, arguments))
        else:
            self._up_at = when = max(self._up_at, self._later())
            self._loop.call_at(
                when,
                self._arrive,
                self._life,
                act,
                arguments,
                context=self.server.context,
            )

    def deliver(self, act: Callable[..., None], *arguments: Any) -> None:
        """Let something happen at the client."""
        if self.is_dead or not self.is_open:
            return
        if self.weather.down_is_held:
            self._held_down.append((act, arguments))
            return
        self._down_at = when = max(self._down_at, self._later())
        self._loop.call_at(
            when, self._come, self._life, act, arguments, context=self.process.context
        )

    def _later(self) -> float:
        draw = self.chance.random()
        latency = LATENCY_SECONDS + LATENCY_SECONDS_MORE * draw * draw
        return self._loop.time() + latency + self.weather.slow_seconds * draw

    def _arrive(self, life: int, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if life == self._life:
            self.server.take(self, act, arguments)

    def _come(self, life: int, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if life == self._life and self.is_open:
            act(*arguments)

    def clear(self) -> None:
        """Let the weather be good again; what was held comes in its order."""
        self.weather = Weather()
        up, self._held_up = self._held_up, []
        down, self._held_down = self._held_down, []
        for act, arguments in up:
            self.send(act, *arguments)
        for act, arguments in down:
            self.deliver(act, *arguments)

    def cut_and_clear(self) -> None:
        """Break it, as a client does that heard nothing for long, and let the weather be good."""
        self.cut()
        self.clear()

    def cut(self) -> None:
        """Break it: what is under way is lost. The client makes it anew."""
        if self.is_dead or not self.is_open:
            return
        self._life += 1
        self.is_open = False
        self._held_up.clear()
        self._held_down.clear()
        self.server.forget(self)
        self._loop.call_later(
            RECONNECT_SECONDS * (0.5 + self.chance.random()),
            self._reconnect,
            context=self.process.context,
        )

    def _reconnect(self) -> None:
        """Try until there is a server; a client that ended tries no more."""
        if self.is_dead:
            return
        if not self.server.is_up:
            self._loop.call_later(RECONNECT_SECONDS, self._reconnect, context=self.process.context)
            return
        self.is_open = True
        self.client.connected_again()
        buffer, self._buffer = self._buffer, []
        for act, arguments in buffer:
            self.send(act, *arguments)

    def end(self) -> None:
        """End with the process: what it sent already still arrives."""
        if self.is_dead:
            return
        self.is_dead = True
        when = max(self._up_at, self._later())
        self._loop.call_at(when, self.server.forget, self, context=self.server.context)
