"""What the log says of one episode of an alert, as much of it as a receiver is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events.alert import AlertAnnotated, AlertFired, AlertResolved
from events.effect import EffectIntended, EffectOutcomeUnknown, Intent

if TYPE_CHECKING:
    from datetime import datetime

    from events.address import EntityAddress
    from events.base import Envelope
    from events.log import Log


@dataclass(slots=True)
class Story:
    """One episode, from firing to resolved. `started` and `ended` are the log's decisions.

    `uncertain` holds the numbers of notices of any episode whose outcome is unknown; `generation`
    is the life of the log in which it began to fire.
    """

    alert: EntityAddress
    labels: dict[str, str]
    annotations: dict[str, str]
    incident: str
    started: datetime
    ended: datetime | None = None
    notices: dict[int, Intent] = field(default_factory=dict)
    uncertain: list[int] = field(default_factory=list)
    generation: int = 1

    def was_uncertain(self, receiver: str, key: str) -> bool:
        """Say whether a receiver may have heard a notice already, and nobody knows."""
        tried = (self.notices[number].arguments for number in self.uncertain)
        return any(one.get("receiver") == receiver and one.get("key") == key for one in tried)


async def read_story(log: Log, alert: EntityAddress, episode: int) -> Story | None:
    """Read the story of the n-th firing of an alert (from 1), or None where there is none yet.

    Raises what reading the log raises.
    """
    reader = _Reader(episode)
    async for stored in log.read_entity(alert):
        for envelope in stored.envelopes():
            reader.read(envelope)
    return reader.story


class _Reader:
    """Goes through an alert's history and keeps what belongs to one episode."""

    def __init__(self, episode: int) -> None:
        self._episode = episode
        self._fired = 0
        self.story: Story | None = None

    def read(self, envelope: Envelope) -> None:
        if isinstance(envelope.event, AlertFired):
            self._fired += 1
        if self._fired == self._episode:
            self._read_own(envelope)
        if self.story is not None:
            _note_outcome(self.story, envelope)

    def _read_own(self, envelope: Envelope) -> None:
        match envelope.event:
            case AlertFired() as fired:
                self.story = _begin(fired, envelope)
            case AlertAnnotated(annotations=annotations) if self.story:
                self.story.annotations = dict(annotations)
            case AlertResolved() if self.story:
                self.story.ended = envelope.decided
            case _:
                pass


def _begin(fired: AlertFired, envelope: Envelope) -> Story:
    return Story(
        alert=envelope.entity,
        labels=dict(fired.labels),
        annotations=dict(fired.annotations),
        incident=fired.incident,
        started=envelope.decided,
        generation=envelope.position.generation,
    )


def _note_outcome(story: Story, envelope: Envelope) -> None:
    match envelope.event:
        case EffectIntended(intent=intent):
            story.notices[intent.number] = intent
        case EffectOutcomeUnknown(number=number) if number in story.notices:
            story.uncertain.append(number)
        case _:
            pass
