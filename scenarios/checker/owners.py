"""Owners: which hosts an entity ever had, by the placements in the log."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events.placement import BucketsPlaced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.address import EntityAddress
    from events.base import Envelope


@dataclass(slots=True)
class Owners:
    """All hosts that a placement gave something to."""

    _buckets: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    _kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _isolated: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, envelope: Envelope) -> None:
        """Take an event of the log."""
        event = envelope.event
        if not isinstance(event, BucketsPlaced):
            return
        for host, parts in event.hosts.items():
            for part in parts:
                self._kinds[part.kind].add(host)
                for bucket in range(part.first, part.last + 1):
                    self._buckets[part.kind, bucket].add(host)
        for entity, host in event.isolated.items():
            self._isolated[entity].add(host)

    def of(self, entity: EntityAddress) -> frozenset[str]:
        """Give the hosts that an entity had."""
        buckets = self._buckets.get((entity.kind, entity.bucket), ())
        return frozenset({*buckets, *self._isolated.get(str(entity), ())})

    def of_kinds(self, kinds: Iterable[str]) -> frozenset[str]:
        """Give the hosts that any entity of some kinds had."""
        isolated = {entity.partition("/")[0]: hosts for entity, hosts in self._isolated.items()}
        found = (self._kinds.get(kind, set()) | isolated.get(kind, set()) for kind in kinds)
        return frozenset[str]().union(*found)
