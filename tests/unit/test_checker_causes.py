"""Every order has one outcome, every cause came before, and no failure is passed over."""

from __future__ import annotations

from datetime import timedelta

from events.base import Mark
from events.entity import CommandDeclined
from events.policy import Order, PolicyAdvanced, SymptomSeen
from tests.checking import broken
from tests.history import EPOCH
from tests.past import LATER, POLICY, SERVICE, Past, placed, probe
from tests.story import become_healthy, configure, go_down


def advanced(*numbers: int, target: str = SERVICE, sequence: int = 1) -> PolicyAdvanced:
    orders = tuple(
        Order(
            number=number,
            target=target,
            command="RequestProbe",
            arguments={},
            causation_id=None,
            correlation_id="c",
            time=EPOCH,
        )
        for number in numbers
    )
    return PolicyAdvanced(log_id="memory", generation=1, sequence=sequence, orders=orders)


async def test_an_order_has_one_outcome(past: Past) -> None:
    await past.append(POLICY, advanced(1, 2))
    await past.append(SERVICE, probe(), mark=Mark("correlate", 1))
    await past.append(SERVICE, CommandDeclined(command="X", reason="no"), mark=Mark("correlate", 2))
    checker = past.checker()
    assert broken(checker, LATER) == {}
    assert checker.invariants[3].exercised["orders"] == 2


async def test_orders_without_and_with_two_outcomes_are_named(past: Past) -> None:
    await past.append(POLICY, advanced(1, 2))
    await past.append(SERVICE, probe(), mark=Mark("correlate", 1))
    await past.append(SERVICE, probe(), mark=Mark("correlate", 1))
    await past.append(SERVICE, probe(), mark=Mark("correlate", 9))
    found = broken(past.checker(), LATER)["causes"]
    assert found == [
        "order 1 of correlate has a second outcome",
        "order 9 of correlate was never given",
        "its order 2 (RequestProbe) has no outcome",
    ]


async def test_orders_are_numbered_without_gaps_and_go_to_their_target(past: Past) -> None:
    await past.append(POLICY, advanced(1, 3))
    await past.append("service/demo-cache", probe(), mark=Mark("correlate", 1))
    found = broken(past.checker(), LATER)["causes"]
    assert "it gave order 3 after order 1" in found
    assert f"order 1 of correlate was for {SERVICE}" in found


async def test_a_cause_is_an_event_that_came_before(past: Past) -> None:
    first = await past.append(SERVICE, probe())
    await past.append(SERVICE, probe(), causation_id=f"{first}.0")
    await past.append(SERVICE, probe(), causation_id=f"{first}.1")
    (what,) = broken(past.checker(), LATER)["causes"]
    assert f"{first}.1 is no event that came before it" in what


async def test_each_failure_is_seen_once(past: Past) -> None:
    await configure(past.recorder)
    await become_healthy(past.recorder, "demo-app")
    cause = await go_down(past.recorder, "demo-app", "tcp", "refused")
    assert "no policy saw its failure" in broken(past.checker(), LATER)["causes"][0]
    seen = SymptomSeen(
        service="demo-app",
        cause_id=cause,
        correlation_id="c",
        reason="refused",
        since=EPOCH,
        observed=EPOCH,
        settles_at=LATER + timedelta(days=1),
        sequence=past.last,
    )
    await past.append(POLICY, seen, advanced(sequence=past.last))
    assert broken(past.checker(), LATER) == {}
    await past.append(POLICY, seen, advanced(sequence=past.last))
    assert "twice" in broken(past.checker(), LATER)["causes"][0]


async def test_what_a_policy_passed_over_is_named(past: Past) -> None:
    await past.append(POLICY, advanced(sequence=0))
    await configure(past.recorder)
    cause = await go_down(past.recorder, "demo-app", "tcp", "refused")
    place = past.last
    found = broken(past.checker(), LATER)["causes"]
    assert f"went_down.v1 of service/demo-app ({cause})" in found[-1]  # it never came so far
    await past.append(POLICY, advanced(sequence=place + 1))
    found = broken(past.checker(), LATER)["causes"]
    assert f"went_down.v1 of service/demo-app ({cause})" in found[0]  # it is beyond


async def test_a_policy_that_a_host_was_to_run_and_that_never_started_passed_over_all(
    past: Past,
) -> None:
    await configure(past.recorder)
    cause = await go_down(past.recorder, "demo-app", "tcp", "refused")
    seen = f"went_down.v1 of service/demo-app ({cause})"
    assert not any(seen in what for what in broken(past.checker(), LATER)["causes"])
    await past.append("placement/main", placed(h1="policy"))
    assert any(seen in what for what in broken(past.checker(), LATER)["causes"])


async def test_a_policy_concludes_nothing_from_what_does_not_concern_it(past: Past) -> None:
    await past.append(POLICY, advanced(sequence=0))
    await configure(past.recorder)
    await become_healthy(past.recorder, "demo-app")
    assert broken(past.checker(), LATER) == {}
