"""What the log says about every service, folded from its first event and kept up to date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from pydantic import ValidationError

from actors.service import SERVICE, Service, Unknown, Watched
from events.address import InvalidAddressError
from events.codec import UnknownEventError
from events.commit import UnreadableCommitError
from events.reader import Start
from events.service import ServiceConfigured
from events.subjects import entity_of, state_filter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from events.base import Event
    from events.log import Log
    from events.reader import Message

RETRY_SECONDS = 0.5
_UNREADABLE = (UnreadableCommitError, UnknownEventError, ValidationError)
_UNCERTAIN = (TimeoutError, NatsError, OSError)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One service: its state, its newest commit, and when it was last configured and changed."""

    state: Service
    sequence: int
    configured: datetime | None = None
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a service, with its page before and after. It is new since the start."""

    service: str
    event: Event
    before: Service
    page: Page


class ServiceBook:
    """The pages of all services. A commit that can't be read leaves its service as it was."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.pages: dict[str, Page] = {}
        self.unreadable_commits = 0

    def watched(self) -> dict[str, Watched]:
        """Give the state of every service that is to be watched."""
        return {
            service: page.state
            for service, page in self.pages.items()
            if isinstance(page.state, Watched)
        }

    async def changes(self) -> AsyncGenerator[list[Change], None]:
        """Read all there is, give an empty list, and then what happens, for ever.

        An outage of the log is waited out.
        """
        last = await self._last_sequence()
        if last == 0:
            yield []
        stream = self._messages()
        async with contextlib.aclosing(stream):
            async for messages in stream:
                changes = [change for message in messages for change in self._turn(message)]
                if messages[0].sequence > last:
                    yield changes
                elif messages[-1].sequence >= last:
                    yield []
                    yield [change for change in changes if change.page.sequence > last]

    async def _messages(self) -> AsyncGenerator[list[Message], None]:
        start = Start()
        while True:
            stream = self._log.follow([state_filter(SERVICE.kind)], start)
            try:
                async with contextlib.aclosing(stream):
                    async for messages in stream:
                        yield messages
                        start = Start(messages[-1].sequence + 1)
            except _UNCERTAIN:
                await asyncio.sleep(RETRY_SECONDS)

    async def _last_sequence(self) -> int:
        while True:
            try:
                message = await self._log.last_message(state_filter(SERVICE.kind))
            except _UNCERTAIN:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return 0 if message is None else int(message.seq or 0)

    def _turn(self, message: Message) -> list[Change]:
        """Write one commit into its page."""
        try:
            service = entity_of(message.subject).id
        except InvalidAddressError:
            return []  # no service has its commits there
        page = self.pages.get(service, Page(Unknown(), 0))
        try:
            events = [one.event for one in self._log.stored(message).envelopes()]
        except _UNREADABLE as error:
            self.unreadable_commits += 1
            _LOGGER.warning("commit %d of service %s: %s", message.sequence, service, error)
            return []
        changes = []
        for event in events:
            before = page.state
            if isinstance(event, SERVICE.events):
                state = SERVICE.evolve(before, event)
                configured = isinstance(event, ServiceConfigured)
                moment = message.stored if configured else page.configured
                page = Page(state, message.sequence, moment, message.stored)
                changes.append(Change(service, event, before, page))
        self.pages[service] = replace(page, sequence=message.sequence)
        return changes
