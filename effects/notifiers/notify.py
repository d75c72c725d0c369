"""`notify`: one receiver is told of one episode of an alert: firing, again, or resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from nats.errors import Error as NatsError

from effects.contract import Assignment, Failed, Result, Unknown
from effects.notifiers.apprise import Apprise
from effects.notifiers.letter import Letter, Status
from effects.notifiers.settings import AppriseReceiver, WebhookReceiver
from effects.notifiers.story import Story, read_story
from effects.notifiers.webhook import Webhook
from events.base import named_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from effects.contract import Guard, Progress
    from events.log import Log

Receiver = WebhookReceiver | AppriseReceiver


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter that is ready to be sent."""

    letter: Letter
    settings: Receiver


@dataclass(slots=True)
class Notify:
    """Tells receivers by name. A notice that may have been heard is told again, with its key."""

    log: Log
    receivers: Mapping[str, Receiver]
    external_url: str = ""
    repeatable: bool = True
    checkable: bool = False
    _webhook: Webhook = field(default_factory=Webhook)
    _apprise: Apprise = field(default_factory=Apprise)

    async def prepare(self, assignment: Assignment) -> Outgoing | Failed:
        """Find the receiver, and read from the log what it is to be told."""
        name = assignment.text("receiver")
        settings = self.receivers.get(name)
        if settings is None:
            known = ", ".join(sorted(self.receivers)) or "none"
            return Failed(f"no receiver is called {name!r}; there are: {known}", permanent=True)
        story = await self._read(assignment)
        if isinstance(story, Failed):
            return story
        key = assignment.text("key")
        if not settings.repeat_when_unknown and story.was_uncertain(name, key):
            reason = f"{name} may have heard it already, and is not told twice"
            return Failed(reason, permanent=True)
        letter = self._letter(assignment, story)
        return letter if isinstance(letter, Failed) else Outgoing(letter, settings)

    async def run(self, prepared: Outgoing, guard: Guard, progress: Progress) -> Result:
        """Send it."""
        del progress
        letter = prepared.letter
        guard.step(f"tell {letter.receiver}")
        match prepared.settings:
            case WebhookReceiver() as settings:
                return await self._webhook.send(letter, settings, guard)
            case AppriseReceiver() as settings:
                return await self._apprise.send(letter, settings, guard)

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """Nobody can ask a receiver what it heard."""
        del began
        name = assignment.text("receiver")
        return Unknown(f"nobody knows whether {name} heard it: the executor ended meanwhile")

    async def undo(self, prepared: Outgoing) -> bool:
        """What was said is said."""
        del prepared
        return False

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._webhook.close()
        await self._apprise.close()

    async def _read(self, assignment: Assignment) -> Story | Failed:
        episode = assignment.intent.arguments.get("episode")
        if not isinstance(episode, int):
            return Failed("a notice needs the number of its episode", permanent=True)
        try:
            story = await read_story(self.log, assignment.entity, episode)
        except (NatsError, OSError, TimeoutError):
            return Failed("the log can't be read")
        except ValueError as error:
            what = type(error).__name__
            return Failed(f"the history of {assignment.entity} can't be read ({what})")
        return story or Failed(f"{assignment.entity} has no episode {episode}", permanent=True)

    def _letter(self, assignment: Assignment, story: Story) -> Letter | Failed:
        status, level = assignment.text("status"), assignment.intent.arguments.get("level", 0)
        if status not in get_args(Status) or not isinstance(level, int):
            return Failed(f"a notice is firing or resolved, not {status!r}", permanent=True)
        receiver, key = assignment.text("receiver"), assignment.text("key")
        named = named_in(story.generation, f"{assignment.entity}#{key}@{receiver}")
        return Letter(
            receiver=receiver,
            status="firing" if status == "firing" else "resolved",
            level=level,
            story=story,
            key=named if key else assignment.key,
            fence=assignment.fence,
            external_url=self.external_url,
        )
