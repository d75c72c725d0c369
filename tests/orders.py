"""Every order of a policy has exactly one outcome, at its target, and no outcome is of no order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from events.policy import PolicyAdvanced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.commit import StoredCommit
    from events.log import Log

Order = tuple[str, int, str]
"""Policy, number and target."""


async def check_orders_of(log: Log) -> int:
    """Check it for all orders in a log, and give how many there are."""
    outcomes: Counter[Order] = Counter()
    ordered: Counter[Order] = Counter()
    async for batch in log.read(["sf.>"]):
        for message in batch:
            stored = log.stored(message)
            outcomes.update(_outcomes_in(stored))
            ordered.update(_orders_in(stored))
    assert set(ordered.values()) <= {1}
    assert outcomes == ordered, (ordered - outcomes, outcomes - ordered)
    for policy in {policy for policy, _, _ in ordered}:
        numbers = sorted(number for name, number, _ in ordered if name == policy)
        assert numbers == list(range(1, len(numbers) + 1))
    return len(ordered)


def _outcomes_in(stored: StoredCommit) -> Iterator[Order]:
    for origin in stored.commit.origins:
        if origin.mark is not None:
            yield origin.mark.policy, origin.mark.number, str(stored.commit.entity)


def _orders_in(stored: StoredCommit) -> Iterator[Order]:
    for envelope in stored.envelopes():
        if isinstance(envelope.event, PolicyAdvanced):
            for order in envelope.event.orders:
                yield envelope.entity.id, order.number, order.target
