"""Mishaps as they are carried out: each begins, and is healed after its time."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from actors.runtime.moving import Share
from events.placement import BucketRange
from scenarios.simulation.cluster import HOSTED, PACE, whole_kinds
from scenarios.simulation.edge import Edge
from scenarios.simulation.moving import Move, Mover
from scenarios.simulation.receivers import MOODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.commit import Commit
    from scenarios.simulation.cluster import Cluster, Life
    from scenarios.simulation.plan import Mishap
    from scenarios.simulation.record import Record
    from scenarios.simulation.world import Kind, World

    Heal = Callable[[], None]

CLOCK_SECONDS_MAX = 3600.0
RESUME_SHARE = 0.5
STRIKE_SECONDS, DELIVERY_SECONDS = 0.01, 0.3
AT_COMMIT = {
    "kill at commit": ("kill", STRIKE_SECONDS),
    "kill at delivery": ("kill", DELIVERY_SECONDS),
    "cut at commit": ("cut", STRIKE_SECONDS),
    "pause at commit": ("pause", STRIKE_SECONDS),
}
"""What waits for a commit: what it does then, and how soon after it, amid what follows from it."""
PARTS = {
    "log paused": "log",
    "log killed": "log",
    "log full": "log",
    "clock steps": "everybody",
    "receiver": "receiver",
    "blind": "prober",
    "edge": "prober",
}
"""Which part of Standfast it is, as the checker calls it, that is hurt by what, or under a name."""
CUTTING = frozenset({"cut", "hold up", "hold down", "log killed"})
PASSES_SECONDS = 3.0
"""Within this time who was killed begins anew, and who was cut off is connected again."""
CALM_SECONDS = 150.0
BUCKETS_HALF = 128


@dataclass(slots=True)
class Mishaps:
    """Does what a plan says to a cluster and its world, and undoes it in time."""

    cluster: Cluster
    world: World
    record: Record
    stepped: float = -1e9
    mover: Mover = field(init=False)
    _open: dict[int, tuple[str, Heal]] = field(default_factory=dict)
    _calm_since: float = 0.0
    _waiting: list[Mishap] = field(default_factory=list)
    _context: Context = field(default_factory=Context)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        """Have somebody who moves buckets."""
        self.mover = Mover(self.cluster)

    def schedule(self, plan: tuple[Mishap, ...]) -> None:
        """Let all of it happen in its time."""
        for mishap in plan:
            self._loop.call_at(mishap.at_seconds, self._begin, mishap)

    @property
    def is_calm(self) -> bool:
        """Say whether nothing of Standfast's own was hurt for a while."""
        return not self._open and self._loop.time() - self._calm_since > CALM_SECONDS

    def heal_all(self) -> None:
        """Undo all that is in force."""
        self._waiting.clear()
        for number in list(self._open):
            self._heal(number)

    def _begin(self, mishap: Mishap) -> None:
        if mishap.what.startswith("service: "):
            self.record.step(f"world: {mishap.target} {mishap.what}")
            kind = cast("Kind", mishap.what.removeprefix("service: "))
            self.world.fail(mishap.target, kind)
        elif mishap.what in AT_COMMIT:
            self._waiting.append(mishap)
        else:
            self._strike(mishap, mishap.what)

    def committed(self, _commit: Commit) -> None:
        """Strike, a moment after a commit of whomever, where a mishap waited for one."""
        waiting, self._waiting = self._waiting, []
        for mishap in waiting:
            act, within_seconds = AT_COMMIT[mishap.what]
            seconds = abs(mishap.amount) * within_seconds
            self._loop.call_later(seconds, self._strike, mishap, act, context=self._context)

    def _strike(self, mishap: Mishap, act: str) -> None:
        """Let it happen, and heal it in its time; what passes by itself is over soon."""
        target = PARTS.get(mishap.what, mishap.target)
        target = PARTS.get(target, target)
        what = f"{mishap.what} {mishap.target} for {mishap.lasts_seconds:.1f} s"
        number = self.record.fault(mishap.what, target, what)
        self._calm_since = self._loop.time()
        heal: Heal | None = getattr(self, "_" + act.replace(" ", "_"))(mishap)
        self._open[number] = act, heal or _nothing
        seconds = mishap.lasts_seconds if heal else PASSES_SECONDS
        self._loop.call_later(seconds, self._heal, number)

    def _heal(self, number: int) -> None:
        if number not in self._open:
            return
        act, heal = self._open.pop(number)
        self._calm_since = self._loop.time()
        heal()
        if act in CUTTING:  # until its readers look, a host does not know that it was cut off
            self._loop.call_later(PACE.look_seconds, self.record.journal.end, number)
        else:
            self.record.journal.end(number)

    # --- processes -----------------------------------------------------------------------

    def _life(self, mishap: Mishap) -> Life:
        return self.cluster.lives[mishap.target]

    def _kill(self, mishap: Mishap) -> None:
        self.cluster.kill(self._life(mishap))

    def _double(self, mishap: Mishap) -> Heal:
        life = self.cluster.start_double(mishap.target)
        return lambda: self.cluster.kill(life)

    def _zombie(self, mishap: Mishap) -> Heal:
        """A host freezes, is taken for dead and succeeded; then it goes on, and is killed."""
        life = self._life(mishap)
        if life.process.is_killed:
            return lambda: None
        life.process.pause()
        self.cluster.doubles.append(life)
        self.cluster.start(mishap.target)
        self._loop.call_later(mishap.lasts_seconds * RESUME_SHARE, life.process.resume)
        return lambda: self.cluster.kill(life)

    def _pause(self, mishap: Mishap) -> Heal:
        life = self._life(mishap)
        life.process.pause()
        return life.process.resume

    # --- the way to the log --------------------------------------------------------------

    def _cut(self, mishap: Mishap) -> None:
        self._life(mishap).client.connection.cut()

    def _hold_up(self, mishap: Mishap) -> Heal:
        connection = self._life(mishap).client.connection
        connection.weather.up_is_held = True
        return connection.clear if mishap.amount < 0 else connection.cut_and_clear

    def _hold_down(self, mishap: Mishap) -> Heal:
        connection = self._life(mishap).client.connection
        connection.weather.down_is_held = True
        return connection.clear if mishap.amount < 0 else connection.cut_and_clear

    def _slow(self, mishap: Mishap) -> Heal:
        connection = self._life(mishap).client.connection
        connection.weather.slow_seconds = abs(mishap.amount)
        return connection.clear

    def _lose_acknowledgements(self, mishap: Mishap) -> Heal:
        connection = self._life(mishap).client.connection
        connection.weather.acknowledgements_lost = 0.5 + abs(mishap.amount) / 2
        return connection.clear

    # --- the log -------------------------------------------------------------------------

    def _log_paused(self, _mishap: Mishap) -> Heal:
        self.cluster.server.pause()
        return self.cluster.server.resume

    def _log_killed(self, _mishap: Mishap) -> Heal:
        self.cluster.server.kill()
        return self.cluster.server.start

    def _log_full(self, _mishap: Mishap) -> Heal:
        self.cluster.server.is_full = True

        def free() -> None:
            self.cluster.server.is_full = False

        return free

    # --- the rest of the world -----------------------------------------------------------

    def _clock_steps(self, mishap: Mishap) -> Heal:
        seconds = mishap.amount * CLOCK_SECONDS_MAX
        self._step_clock(seconds)
        return lambda: self._step_clock(-seconds)

    def _step_clock(self, seconds: float) -> None:
        before, self.stepped = self.record.now(), self._loop.time()
        self.cluster.clock.offset_seconds += seconds
        self.record.journal.clock_stepped(before)

    def _receiver(self, mishap: Mishap) -> Heal:
        receiver = self.cluster.receivers[mishap.target]
        receiver.mood = MOODS[int(abs(mishap.amount) * 1e6) % len(MOODS)]

        def well() -> None:
            receiver.mood = "well"

        return well

    def _buckets_move(self, mishap: Mishap) -> Heal:
        """Half of a kind's buckets move to the coordinator, and later back.

        Either the new owner rehearses and the old one hands over, or both only hear of it.
        """
        kind, placed = mishap.target, whole_kinds()
        (owner,) = (name for name, kinds in HOSTED.items() if kind in kinds)
        kept = [part for part in placed[owner] if part.kind != kind]
        placed[owner] = (*kept, BucketRange(kind=kind, first=0, last=BUCKETS_HALF - 1))
        moved = BucketRange(kind=kind, first=BUCKETS_HALF)
        placed["coordinator"] = (*placed["coordinator"], moved)
        share = Share((moved,)) if mishap.amount > 0 else Share()
        self._move(Move(owner, "coordinator", share, placed))
        return lambda: self._move(Move("coordinator", owner, share, whole_kinds()))

    def _move(self, move: Move) -> None:
        supervisor = self.cluster.lives["supervisor"]
        supervisor.process.start(self.mover.move(supervisor, move))

    def _blind(self, _mishap: Mishap) -> Heal | None:
        edge = self.cluster.lives["edge"].part
        if not isinstance(edge, Edge):
            return None
        edge.conclusions.is_blind = True

        def see() -> None:
            edge.conclusions.is_blind = False

        return see


def _nothing() -> None:
    """It passed by itself."""
