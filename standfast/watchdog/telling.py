"""The watchdog's own way to the receivers: the same notifiers, without a log to read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from effects.clock import SystemClock
from effects.contract import Failed, Guard, Result, StopError
from effects.notifiers.apprise import Apprise
from effects.notifiers.letter import Letter
from effects.notifiers.settings import AppriseReceiver, WebhookReceiver
from effects.notifiers.story import Story
from effects.notifiers.webhook import Webhook
from events.address import EntityAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from effects.notifiers.notify import Receiver
    from standfast.watchdog.pages import Notice, Page


@dataclass(slots=True)
class Teller:
    """Sends notices of pages to receivers by name."""

    receivers: Mapping[str, Receiver]
    external_url: str = ""
    _clock: SystemClock = field(default_factory=SystemClock)
    _webhook: Webhook = field(default_factory=Webhook)
    _apprise: Apprise = field(default_factory=Apprise)

    async def tell(self, page: Page, receiver: str, notice: Notice) -> Result:
        """Send one notice once, within the receiver's own time limit."""
        settings = self.receivers.get(receiver)
        if settings is None:
            return Failed(f"no receiver is called {receiver!r}", permanent=True)
        deadline = self._clock.now() + timedelta(seconds=settings.timeout_seconds)
        guard = Guard(self._clock, deadline)
        letter = letter_of(page, receiver, notice, self.external_url)
        try:
            match settings:
                case WebhookReceiver():
                    return await self._webhook.send(letter, settings, guard)
                case AppriseReceiver():
                    return await self._apprise.send(letter, settings, guard)
        except StopError:
            return Failed(f"{receiver} was not reached in time")

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._webhook.close()
        await self._apprise.close()


def letter_of(page: Page, receiver: str, notice: Notice, external_url: str = "") -> Letter:
    """Give the letter that says a page, as the log's own path would say its alert."""
    alert = EntityAddress("alert", page.alert)
    story = Story(
        alert=alert,
        labels=page.labels,
        annotations=page.annotations,
        incident="",
        started=page.opened,
        ended=page.closed,
    )
    return Letter(
        receiver=receiver,
        status=notice.status,
        level=notice.level,
        story=story,
        key=f"{alert}#{page.id}-{notice.status}-{notice.level}@{receiver}",
        fence=0,
        external_url=external_url,
    )
