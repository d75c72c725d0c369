"""The checker is content with what is right, and names each way in which a run can be wrong."""

from __future__ import annotations

from collections import Counter
from cProfile import Profile
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from actors.deciders import decider_for
from events.address import EntityAddress
from events.alert import AlertFired, AlertResolved, Escalation
from events.base import Mark, Origin
from events.commit import Commit, Head
from events.effect import (
    Argument,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
    Intent,
)
from events.entity import CommandDeclined
from events.placement import BucketRange, BucketsPlaced
from events.policy import Order, PolicyAdvanced, SymptomSeen
from events.service import ServiceProbeRequested
from scenarios.checker.checker import Checker
from scenarios.checker.records import Invoked, KnownState, Outage, Return, Returned, Source
from tests.checking import answered, broken, deliveries, fed
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog
from tests.story import become_healthy, configure, go_down, outage, steady

LATER = EPOCH + timedelta(hours=1)
SERVICE, ALERT, POLICY = "service/demo-app", "alert/a", "policy/correlate"


class Past:
    """A log in memory that a test writes, rightly or wrongly."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)

    async def append(self, address: str, *events: object, **origin: object) -> str:
        """Append events whose origin has some fields changed; gives the commit's id."""
        recorder = self.recorder
        recorder.count += 1
        recorder.now += timedelta(seconds=1)
        commit = recorder.commit(address, events, None, None, "test")  # type: ignore[arg-type]
        commit = replace_origin(commit, **origin)
        recorder.heads[commit.entity] = await self.log.append(commit)
        return commit.id

    def checker(self) -> Checker:
        return fed(self.log.stored)

    @property
    def last(self) -> int:
        return len(self.log.stored)


def replace_origin(commit: Commit, **changes: object) -> Commit:
    (origin,) = commit.origins
    fields = {name: getattr(origin, name) for name in Origin.__match_args__} | changes
    return Commit(
        id=commit.id,
        entity=commit.entity,
        previous=commit.previous,
        decided=commit.decided,
        author=commit.author,
        origins=(Origin(**fields),),
        facts=commit.facts,
    )


@pytest.fixture
def past() -> Past:
    return Past()


def probe() -> ServiceProbeRequested:
    return ServiceProbeRequested(reason="test")


# --- the first: acknowledged -----------------------------------------------------------------


async def test_what_was_acknowledged_where_it_is_holds(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 1)
    assert broken(checker, LATER) == {}
    assert checker.invariants[0].exercised["accepted"] == 1


async def test_what_was_acknowledged_and_is_not_there_is_lost(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c2", SERVICE, 1)
    (what,) = broken(checker, LATER)["acknowledged"]
    assert "is not in the log" in what


async def test_what_is_in_another_place_than_was_acknowledged_is_moved(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 7)
    assert "acknowledged at 7 and is at 1" in broken(checker, LATER)["acknowledged"][0]


async def test_a_command_that_was_carried_out_twice_is_doubled(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    await past.append(SERVICE, probe(), command_id="c1")
    assert "carried out at 1 already" in broken(past.checker(), LATER)["acknowledged"][0]


async def test_a_command_that_another_entity_carried_out_is_moved(past: Past) -> None:
    await past.append("service/demo-cache", probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 1)
    assert "was asked of service/demo-app" in broken(checker, LATER)["acknowledged"][0]


async def test_a_refused_command_has_no_facts_but_its_refusal(past: Past) -> None:
    await past.append(SERVICE, CommandDeclined(command="X", reason="no"), command_id="c1")
    await past.append(SERVICE, probe(), command_id="c2")
    checker = past.checker()
    for command_id in ("c1", "c2", "c3"):
        checker.invoked(Invoked(command_id, SERVICE, "X", 1.0))
        checker.returned(Returned("fail", command_id, "declined", 0, 2.0))
    (what,) = broken(checker, LATER)["acknowledged"]
    assert what == "command c2 was refused and carried out"


async def test_of_the_unknown_both_are_right(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    for command_id in ("c1", "c2"):
        checker.invoked(Invoked(command_id, SERVICE, "X", 1.0))
    checker.returned(Returned("unknown", "c1", "", 0, 2.0))
    assert broken(checker, LATER) == {}


async def test_what_was_refused_first_and_carried_out_then_counts_as_carried_out(
    past: Past,
) -> None:
    await past.append(SERVICE, CommandDeclined(command="X", reason="no"), command_id="c1")
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 2)
    assert broken(checker, LATER) == {}
    checker = past.checker()
    checker.returned(Returned("fail", "c1", "declined", 0, 2.0))
    assert "refused and carried out" in broken(checker, LATER)["acknowledged"][0]


async def test_what_was_asked_after_an_answer_comes_after_it_in_the_log(past: Past) -> None:
    for command_id in ("c1", "c2", "c3"):
        await past.append(SERVICE, probe(), command_id=command_id)
    for second, known, whats in (
        ("c3", 2, []),
        ("c1", 2, ["command c1 was answered with 1, and 2 was known before it was asked"]),
    ):
        checker = past.checker()
        answered(checker, "c2", SERVICE, known)
        answered(checker, second, SERVICE, int(second[1]))
        assert broken(checker, LATER).get("acknowledged", []) == whats
        assert checker.invariants[0].exercised["in order"] == 1


async def test_what_was_under_way_together_may_come_in_any_order(past: Past) -> None:
    for command_id in ("c1", "c2"):
        await past.append(SERVICE, probe(), command_id=command_id)
    checker = past.checker()
    for command_id in ("c1", "c2"):
        checker.invoked(Invoked(command_id, SERVICE, "RequestProbe", 1.0))
    for command_id, sequence in (("c2", 2), ("c1", 1)):
        checker.returned(Returned("ok", command_id, "done", sequence, 2.0))
    assert broken(checker, LATER) == {}
    checker = past.checker()
    for worker, command_id, sequence in (("b", "c2", 2), ("a", "c1", 1)):
        checker.invoked(Invoked(command_id, SERVICE, "RequestProbe", 1.0, worker))
        checker.returned(Returned("ok", command_id, "done", sequence, 2.0))
    assert broken(checker, LATER) == {}, "of another worker's answer nobody knew"


@pytest.mark.parametrize("outcome", ["declined", "unchanged"])
async def test_an_answer_without_facts_says_nothing_of_the_order(past: Past, outcome: str) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 1)
    checker.invoked(Invoked("c2", SERVICE, "X", 3.0))
    kind: Return = "fail" if outcome == "declined" else "ok"
    checker.returned(Returned(kind, "c2", outcome, 0, 4.0))
    assert broken(checker, LATER) == {}


async def test_a_log_without_its_beginning_has_lost_it(past: Past) -> None:
    for _ in range(3):
        await past.append(SERVICE, probe())
    assert "does not hold 1 to 1" in broken(fed(past.log.stored[1:]), LATER)["acknowledged"][0]


async def test_a_gap_in_the_log_is_a_commit_that_was_lost(past: Past) -> None:
    for _ in range(3):
        await past.append(SERVICE, probe())
    checker = fed([past.log.stored[0], past.log.stored[2]])
    assert "does not hold 2 to 2" in broken(checker, LATER)["acknowledged"][0]


# --- the second: history ---------------------------------------------------------------------


async def test_a_second_writer_forks_the_history(past: Past) -> None:
    await past.append(SERVICE, probe())
    before = dict(past.recorder.heads)
    await past.append(SERVICE, probe())
    past.recorder.heads = before
    await past.append(SERVICE, probe())
    assert broken(past.checker(), LATER)["history"] == ["it follows 1, but 2 is last"]


async def test_a_commit_that_was_changed_breaks_the_chain(past: Past) -> None:
    await past.append(SERVICE, probe())
    entity = past.log.stored[0].commit.entity
    past.recorder.heads[entity] = Head(1, b"\0" * 32)
    await past.append(SERVICE, probe())
    assert "another 1 than the one" in broken(past.checker(), LATER)["history"][0]


async def test_an_order_that_was_handled_twice_shows_in_the_marks(past: Past) -> None:
    for number in (1, 2, 2):
        await past.append(SERVICE, probe(), mark=Mark("tell", number))
    assert "order 2 of tell was handled after" in broken(past.checker(), LATER)["history"][0]


async def test_the_state_in_memory_is_what_the_log_leads_to(past: Past) -> None:
    await steady(past.recorder)
    checker = past.checker()
    entity = past.log.stored[-1].commit.entity
    state = checker.folding.states[entity]
    decider = decider_for(entity)
    known = KnownState(
        entity=str(entity),
        sequence=past.last,
        digest=past.log.stored[-1].digest.hex(),
        state=decider.states.dump_json(state).decode(),
        marks={},
        source="live",
    )
    right, initial = past.checker(), decider.states.dump_json(decider.initial).decode()
    right.known(known)
    assert broken(right, LATER) == {}
    for wrong, words in (
        (replace(known, state=initial), "not what its events lead to"),
        (replace(known, sequence=past.last - 1), "its log ends elsewhere"),
        (replace(known, digest="00"), "its log ends elsewhere"),
        (replace(known, marks={"tell": 3}), "marks"),
    ):
        checker = past.checker()
        checker.known(wrong)
        (what,) = broken(checker, LATER)["history"]
        assert words in what


def placed(**kinds: str) -> BucketsPlaced:
    hosts: dict[str, tuple[BucketRange, ...]] = {
        host: (BucketRange(kind=kind),) for host, kind in kinds.items()
    }
    return BucketsPlaced(epoch=1, hosts=hosts)


async def test_who_owns_an_entity_knows_it_and_so_does_who_reads_the_log(past: Past) -> None:
    await past.append("placement/main", placed(h1="service", h2="alert"))
    await past.append(SERVICE, probe())
    cases: tuple[tuple[Source, str, bool], ...] = (
        ("live", "h1", True),
        ("live", "h2", False),
        ("live", "h3", False),
        ("rebuilt", "", True),
    )
    for source, host, is_forgotten in cases:
        checker = past.checker()
        checker.known(known_in(past, "placement/main", source, host))
        checker.asked((host,) if host else ())
        found = broken(checker, LATER).get("history", [])
        assert found == [f"{host or source} does not know it"] * is_forgotten
    checker = past.checker()
    checker.asked(("h1",))
    checker.known(known_in(past, SERVICE, "live", "h1"))
    assert broken(checker, LATER) == {}


def known_in(past: Past, address: str, source: Source, host: str) -> KnownState:
    """Give what is rightly known of an entity."""
    entity = EntityAddress.parse(address)
    state = past.checker().folding.states[entity]
    head = next(one for one in reversed(past.log.stored) if one.commit.entity == entity).head
    text = decider_for(entity).states.dump_json(state).decode()
    return KnownState(address, head.sequence, head.digest.hex(), text, {}, source, host)


# --- the third: world ------------------------------------------------------------------------


def intended(number: int, status: str, now: datetime, episode: int = 1) -> EffectIntended:
    arguments: dict[str, Argument] = {
        "receiver": "ops",
        "status": status,
        "episode": episode,
        "level": 0,
        "key": f"{episode}-{status}-0",
    }
    intent = Intent(
        number=number,
        effect="notify",
        executor="executor",
        deadline=now + timedelta(seconds=15),
        arguments=arguments,
    )
    return EffectIntended(intent=intent)


FIRED = AlertFired(
    labels={"alertname": "A"},
    annotations={},
    severity="info",
    receivers=("ops",),
    escalation=Escalation(),
    tell_again_at=None,
    incident="",
    executor="executor",
)


async def told(past: Past, *, ends: bool = True) -> None:
    """An alert fires and is resolved, and its receiver is told of both."""
    now = past.recorder.now
    await past.append(ALERT, FIRED, intended(1, "firing", now))
    await past.append(ALERT, EffectSucceeded(number=1))
    await past.append(ALERT, AlertResolved(reason="well"), intended(2, "resolved", now))
    if ends:
        await past.append(ALERT, EffectSucceeded(number=2))


async def test_what_was_wished_done_and_ended_once_holds(past: Past) -> None:
    await told(past)
    checker = past.checker()
    for delivery in deliveries(past.log.stored):
        checker.delivered(delivery)
    assert broken(checker, LATER) == {}
    exercised = Counter(
        {"ended": 2, "delivered": 2, "in time": 2, "alternating": 1, "told it is over": 1}
    )
    assert checker.invariants[2].exercised == exercised


async def test_a_wish_without_an_end_is_named(past: Past) -> None:
    await told(past, ends=False)
    assert broken(past.checker(), LATER)["world"] == ["notify never came to an end"]


async def test_a_second_end_and_one_that_nobody_wished_are_named(past: Past) -> None:
    await told(past)
    await past.append(ALERT, EffectSucceeded(number=2))
    await past.append(ALERT, EffectSucceeded(number=9))
    found = broken(past.checker(), LATER)["world"]
    assert found == ["it has a second end", "it ends and was never wished"]


async def test_what_is_said_to_be_done_was_seen(past: Past) -> None:
    await told(past)
    checker = past.checker()
    checker.delivered(deliveries(past.log.stored)[0])
    found = broken(checker, LATER)["world"]
    assert found[0] == "notify of ops is said to be done, and never was"
    assert found[1] == "it was told of firing, and never that it is over"


async def test_what_was_done_twice_or_wished_by_nobody_or_late_is_named(past: Past) -> None:
    await told(past)
    first, second = deliveries(past.log.stored)
    for wrong, words in (
        (first, "alert/a#1 was done 2 times"),
        (replace(first, fence=2), "nobody wished it"),
        (replace(first, subject="alert/b"), "nobody wished it"),
        (replace(first, status="resolved"), "nobody wished it"),
    ):
        checker = past.checker()
        for delivery in (first, wrong, second):
            checker.delivered(delivery)
        assert any(words in what for what in broken(checker, LATER)["world"]), words
    checker = past.checker()
    checker.delivered(replace(first, time=first.time + timedelta(seconds=60)))
    checker.delivered(second)
    assert "after its deadline" in broken(checker, LATER)["world"][0]


async def test_a_notice_that_is_said_to_have_failed_was_not_seen(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    await past.append(ALERT, EffectFailed(number=1, reason="refused", permanent=True))
    checker = past.checker()
    checker.ledger("ops")
    assert "world" not in broken(checker, LATER)
    checker = past.checker()
    for delivery in deliveries(past.log.stored):
        checker.delivered(delivery)
    assert "notify of ops is said not to have been done, and was" in broken(checker, LATER)["world"]


async def test_a_receiver_with_an_empty_ledger_saw_nothing(past: Past) -> None:
    await told(past)
    assert "world" not in broken(past.checker(), LATER)  # nobody knows what it saw
    checker = past.checker()
    checker.ledger("ops")
    assert len(broken(checker, LATER)["world"]) == 2


async def test_firing_and_resolved_alternate(past: Past) -> None:
    now = past.recorder.now
    await told(past)
    await past.append(ALERT, FIRED, intended(3, "firing", now, 2))
    await past.append(ALERT, EffectSucceeded(number=3))
    first, second, third = deliveries(past.log.stored)
    checker = past.checker()
    for delivery in (first, third, second):
        checker.delivered(delivery)
    found = broken(checker, LATER)["world"]
    assert "episode 2 fired while 1 was not resolved" in found
    assert "it heard resolved of episode 1 after (2, 'firing')" in found


async def test_a_notice_of_unknown_end_may_come_again_by_another_wish(past: Past) -> None:
    now = past.recorder.now
    await past.append(ALERT, FIRED, intended(1, "firing", now))
    await past.append(ALERT, EffectOutcomeUnknown(number=1, reason="silence"))
    await past.append(ALERT, intended(2, "firing", now))
    await past.append(ALERT, EffectSucceeded(number=2))
    await past.append(ALERT, AlertResolved(reason="well"), intended(3, "resolved", now))
    await past.append(ALERT, EffectFailed(number=3, reason="gone", permanent=True))
    checker = past.checker()
    for delivery in deliveries(past.log.stored)[:2]:
        checker.delivered(delivery)
    assert broken(checker, LATER) == {}


# --- the fourth: causes ----------------------------------------------------------------------


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


# --- the fifth: due --------------------------------------------------------------------------


async def test_what_is_due_is_done_or_named(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    due = past.checker().folding.due(past.log.stored[0].commit.entity)
    assert due is not None
    assert "due" not in broken(past.checker(), due + timedelta(seconds=5))
    assert "it was due at" in broken(past.checker(), due + timedelta(seconds=11))["due"][0]
    past.recorder.now = due
    unknown = EffectOutcomeUnknown(number=1, reason="silence")
    await past.append(ALERT, unknown, principal="host:alert-host")
    checker = past.checker()
    broken(checker, due)
    assert checker.invariants[4].exercised["timers"] == 1
    assert checker.invariants[4].violations == []


async def test_a_timer_that_is_early_is_named(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    unknown = EffectOutcomeUnknown(number=1, reason="silence")
    await past.append(ALERT, unknown, principal="host:alert-host")
    assert "a timer did something" in broken(past.checker(), past.recorder.now)["due"][0]


async def test_an_outage_that_the_log_knows_nothing_of_is_silent(past: Past) -> None:
    await steady(past.recorder)
    began = past.recorder.now
    await outage(past.recorder)
    checker = past.checker()
    ended = past.recorder.now + timedelta(seconds=15)
    checker.out(Outage("demo-database", began, ended))
    assert "due" not in broken(checker, ended)
    assert checker.invariants[4].exercised["outages told"] == 1
    later = began + timedelta(hours=1)
    for service, first in (("demo-cache", began), ("demo-database", later)):
        checker = past.checker()
        checker.out(Outage(service, first, first + timedelta(minutes=1)))
        assert "the log is silent" in broken(checker, ended)["due"][0]


async def test_an_outage_that_nobody_was_told_of_is_named(past: Past) -> None:
    await steady(past.recorder)
    began = past.recorder.now
    await go_down(past.recorder, "demo-cache", "tcp", "refused")
    checker = past.checker()
    checker.out(Outage("demo-cache", began, began + timedelta(minutes=1)))
    assert "no alert speaks of it" in broken(checker, LATER)["due"][0]


async def calls_of(commits: int) -> int:
    """Count the calls that it takes to check a run of so many commits."""
    past = Past()
    for number in range(commits):
        await past.append(f"service/s{number % 10}", probe(), command_id=f"c{number}")
    profile = Profile()
    with profile:
        checker = past.checker()
        for number in range(commits):
            answered(checker, f"c{number}", f"service/s{number % 10}", number + 1)
        assert broken(checker, LATER) == {}
    return sum(entry.callcount for entry in profile.getstats())


async def test_twice_the_commits_take_twice_the_steps() -> None:
    once, twice = await calls_of(300), await calls_of(600)
    assert twice < 2.1 * once


async def calls_of_outages(outages: int) -> int:
    """Count the calls that it takes to hold so many outages of one service to the log."""
    past = Past()
    await steady(past.recorder)
    spans: list[Outage] = []
    for number in range(1, outages + 1):
        began = past.recorder.now
        await outage(past.recorder, number)
        past.recorder.now += timedelta(minutes=5)
        spans.append(Outage("demo-database", began, began + timedelta(seconds=30)))
    profile = Profile()
    with profile:
        checker = past.checker()
        for delivery in deliveries(past.log.stored):
            checker.delivered(delivery)
        for span in spans:
            checker.out(span)
        checker.end(past.recorder.now)
    assert checker.invariants[4].exercised["outages told"] == outages
    return sum(entry.callcount for entry in profile.getstats())


async def test_twice_the_outages_take_twice_the_steps() -> None:
    once, twice = await calls_of_outages(40), await calls_of_outages(80)
    assert twice < 2.2 * once
