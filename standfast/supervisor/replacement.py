"""Hosts of another build are replaced bucket by bucket; where that fails the buckets go back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.placement import PlaceBuckets, steps
from actors.runtime.commands import NoAnswerError
from actors.runtime.description import ask_host
from actors.runtime.letters import ReleaseEntity
from actors.runtime.moving import HAND_OVER, REHEARSE, NotMovedError, Share, ask_to
from events.address import EntityAddress
from events.build import build_id
from events.log import LogUnavailableError
from standfast.supervisor.hosts import HostsFailedError
from standfast.supervisor.layout import layout, owners

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.placement import Placement, Step
    from actors.runtime.commands import CommandClient
    from actors.runtime.description import Described
    from events.placement import BucketRange
    from standfast.config.model import Configuration
    from standfast.supervisor.hosts import Hosts

BUCKETS_AT_ONCE = 32
READY_SECONDS = 20.0
REHEARSE_SECONDS = 60.0
HAND_OVER_SECONDS = 12.0
PROVEN_SECONDS = 2.0
LOOK_SECONDS = 0.02
NAMED_MAX = 5

FAILURES = (NotMovedError, HostsFailedError, LogUnavailableError)


@dataclass(slots=True)
class Replacement:
    """One replacement of hosts, from the placement in force to one on hosts of this build."""

    hosts: Hosts
    commands: CommandClient
    said: Callable[[str], None]
    before: Placement
    target: PlaceBuckets
    parked: frozenset[str]
    """What was parked before: it is not this build's fault."""
    may_park: bool = False
    _pids: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def plan(
        cls,
        hosts: Hosts,
        commands: CommandClient,
        configuration: Configuration,
        said: Callable[[str], None],
    ) -> Replacement | None:
        """Look at what runs; None where nothing is to be moved."""
        placement = await hosts.placement()
        asked = [ask_host(hosts.log.client, name, entities=False) for name in owners(placement)]
        described = await asyncio.gather(*asked)
        target = layout(configuration, placement, {one.name: one.build for one in described})
        if (target.hosts, target.isolated) == (placement.hosts, placement.isolated):
            return None
        parked = frozenset(address for one in described for address in one.parked)
        return cls(hosts, commands, said, placement, target, parked)

    @property
    def _taking(self) -> list[str]:
        named = (*self.target.hosts, *self.target.isolated.values())
        return [name for name in named if name not in owners(self.before)]

    async def prepare(self) -> None:
        """Make the new hosts, which own nothing yet, and have them read what they are to own.

        Raises one of `FAILURES`; until now nothing else was touched.
        """
        if self._taking:
            self.said(f"new hosts: {', '.join(self._taking)}")
            await self.hosts.make(self._taking)
        for name in (*self.target.hosts, *self.target.isolated.values()):
            described = await self._ready(name, 0)
            if described.build != build_id():
                raise NotMovedError(f"{name} is of build {described.build}, not of {build_id()}")
            self._pids[name] = described.pid
        for name in self._taking:
            await self._rehearse(name, _share_of(name, self.target.hosts, self.target.isolated))

    async def _rehearse(self, name: str, share: Share) -> None:
        client = self.hosts.log.client
        answer = await ask_to(client, name, REHEARSE, share, REHEARSE_SECONDS)
        self._refuse_parked(answer["unreadable"])

    async def move(self) -> None:
        """Move everything, then end the old hosts. Raises one of `FAILURES`."""
        way = steps(self.before, self.target, BUCKETS_AT_ONCE)
        for number, step in enumerate(way, 1):
            await self._step(step)
            if number == len(way) or way[number].taking != step.taking:
                self.said(f"{step.taking} owns what is its own ({number} of {len(way)} steps)")
        await self._prove()
        await self.hosts.place(self.target)
        kept = owners(await self.hosts.placement())
        await self.hosts.end(name for name in self.hosts.names if name not in kept)

    async def _step(self, step: Step) -> None:
        """Rehearse, hand over, place, and look whether the new owner is well."""
        shares = _shares(step)
        whole = Share(
            tuple(part for share in shares.values() for part in share.ranges),
            frozenset(address for share in shares.values() for address in share.isolated),
        )
        await self._rehearse(step.taking, whole)
        for host, share in shares.items():
            await self._hand_over(host, share)
        placed = await self.hosts.place(step.placed)
        described = await self._ready(step.taking, placed.epoch)
        self._check(described)

    async def _hand_over(self, host: str, share: Share) -> None:
        """Have a host leave its share; one that just starts again is asked until it answers."""
        until = time.monotonic() + HAND_OVER_SECONDS
        while True:
            try:
                await ask_to(self.hosts.log.client, host, HAND_OVER, share, HAND_OVER_SECONDS)
            except NotMovedError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(LOOK_SECONDS * 10)
            else:
                return

    async def _ready(self, name: str, epoch: int) -> Described:
        until = time.monotonic() + READY_SECONDS
        while True:
            described = await ask_host(self.hosts.log.client, name, entities=False)
            if described.answered and described.ready and described.epoch >= epoch:
                return described
            if time.monotonic() > until:
                raise NotMovedError(f"{name} was not ready within {READY_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS)

    def _check(self, described: Described) -> None:
        if described.pid != self._pids[described.name]:
            raise NotMovedError(f"{described.name} ended and was started again")
        self._refuse_parked(dict.fromkeys(described.parked, "it is parked"))

    def _refuse_parked(self, found: dict[str, str]) -> None:
        fresh = {address: why for address, why in found.items() if address not in self.parked}
        if fresh and not self.may_park:
            named = [f"{address}: {why}" for address, why in list(fresh.items())[:NAMED_MAX]]
            raise NotMovedError(f"this build would park {len(fresh)} more: {'; '.join(named)}")

    async def _prove(self) -> None:
        """Look at the new hosts for a while, at work with all they own."""
        until = time.monotonic() + PROVEN_SECONDS
        while time.monotonic() < until:
            for name in self._pids:
                self._check(await self._ready(name, 0))
            await asyncio.sleep(LOOK_SECONDS * 10)

    async def go_back(self) -> None:
        """Give everything back to the old hosts, and end the new ones. Raises `FAILURES`."""
        placement = await self.hosts.placement()
        parked = await self._parked_here()
        if (placement.hosts, placement.isolated) != (self.before.hosts, self.before.isolated):
            self.said("the buckets go back")
            await self._hand_all_over(placement)
            before = PlaceBuckets(hosts=self.before.hosts, isolated=self.before.isolated)
            await self.hosts.place(before)
            await self.hosts.wait_ready(owners(self.before))
        await self._release(parked - self.parked)
        await self.hosts.end(self._taking)

    async def _hand_all_over(self, placement: Placement) -> None:
        """Ask the new hosts to leave; one that can't even do this is kept out by the fence."""
        for name in self._taking:
            share = _share_of(name, placement.hosts, placement.isolated)
            try:
                await ask_to(self.hosts.log.client, name, HAND_OVER, share, HAND_OVER_SECONDS)
            except NotMovedError as error:
                self.said(str(error))

    async def _parked_here(self) -> frozenset[str]:
        asked = [ask_host(self.hosts.log.client, name, entities=False) for name in self._taking]
        return frozenset(one for host in await asyncio.gather(*asked) for one in host.parked)

    async def _release(self, parked: frozenset[str]) -> None:
        """What only the new build could not handle is released: it is not its host any more."""
        reason = f"it was parked by {build_id()}, which does not host it any more"
        for address in sorted(parked):
            try:
                command = ReleaseEntity(reason=reason)
                await self.commands.send(EntityAddress.parse(address), command)
            except NoAnswerError as error:
                self.said(str(error))


def _share_of(
    name: str, hosts: Mapping[str, tuple[BucketRange, ...]], isolated: Mapping[str, str]
) -> Share:
    alone = [address for address, host in isolated.items() if host == name]
    return Share(hosts.get(name, ()), frozenset(map(EntityAddress.parse, alone)))


def _shares(step: Step) -> dict[str, Share]:
    shares = {host: Share(ranges) for host, ranges in step.leaving.items()}
    for address, host in step.isolated.items():
        shares[host] = Share(isolated=frozenset({EntityAddress.parse(address)}))
    return shares
