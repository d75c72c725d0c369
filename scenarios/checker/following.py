"""Following: each policy read over its shoulder, to see that it passed over nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events.policy import CauseQuarantined, PolicyAdvanced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from actors.policies.base import Policy
    from events.base import Envelope
    from events.base import Event as AnyEvent

Place = tuple[int, int]


@dataclass(slots=True)
class Follower:
    """One policy: what it knows by its own notes, and the causes that it has not passed yet.

    Where a policy concludes nothing from a cause it commits nothing, and nobody sees that it read
    it. So what lies between two of its commits is observed here once more: nothing may follow.
    """

    policy: Policy[Any]
    has_started: bool = False
    """Whether it ever committed how far it came."""
    handled: int = 0
    _knows: Any = field(init=False)
    _noted: Any = field(init=False)
    _waiting: deque[Envelope] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Know what a new policy knows."""
        self._knows = self._noted = self.policy.initial

    def caused(self, envelope: Envelope) -> None:
        """Take an event of another entity, in the order of the log."""
        if isinstance(envelope.event, self.policy.causes):
            self._waiting.append(envelope)

    def advanced(self, event: AnyEvent, now: datetime) -> Iterator[Envelope]:
        """Take an event of the policy itself; gives the causes that it passed over."""
        if isinstance(event, PolicyAdvanced):
            self.has_started = True
            yield from self._pass((event.sequence, event.index), now)
            self._knows = self._noted
        elif not isinstance(event, CauseQuarantined):
            self._noted = self.policy.evolve(self._noted, event)

    def _pass(self, place: Place, now: datetime) -> Iterator[Envelope]:
        while self._waiting and _place(self._waiting[0]) <= place:
            cause = self._waiting.popleft()
            if _place(cause) == place:
                self.handled += 1
            elif self._concludes(cause, now):
                yield cause

    def left(self, now: datetime) -> Iterator[Envelope]:
        """Give what it must still conclude something from, when all is over."""
        while self._waiting:
            cause = self._waiting.popleft()
            if self._concludes(cause, now):
                yield cause

    def _concludes(self, cause: Envelope, now: datetime) -> bool:
        try:
            return bool(self.policy.observe(self._knows, cause, now))
        except Exception:  # noqa: BLE001  (it would have said so, in an event of its own)
            return True


def _place(cause: Envelope) -> Place:
    return cause.position.sequence, cause.index
