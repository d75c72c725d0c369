"""What was acknowledged is in the log once, where it was said to be, and in order."""

from __future__ import annotations

import pytest

from events.entity import CommandDeclined
from scenarios.checker.records import Invoked, Return, Returned
from tests.checking import answered, broken, fed
from tests.past import LATER, SERVICE, Past, probe


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
    for command_id, outcome in (("c1", "declined"), ("c2", "declined"), ("c3", "invalid")):
        checker.invoked(Invoked(command_id, SERVICE, "X", 1.0))
        checker.returned(Returned("fail", command_id, outcome, 0, 2.0))
    (what,) = broken(checker, LATER)["acknowledged"]
    assert what == "command c2 was refused and carried out"


async def test_what_is_declined_is_in_the_log(past: Past) -> None:
    checker = past.checker()
    checker.invoked(Invoked("c1", SERVICE, "X", 1.0))
    checker.returned(Returned("fail", "c1", "declined", 0, 2.0))
    (what,) = broken(checker, LATER)["acknowledged"]
    assert what == "command c1 was declined, and the log does not say so"


async def test_of_the_unknown_both_are_right(past: Past) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    for command_id in ("c1", "c2"):
        checker.invoked(Invoked(command_id, SERVICE, "X", 1.0))
    checker.returned(Returned("unknown", "c1", "", 0, 2.0))
    assert broken(checker, LATER) == {}


async def test_what_was_declined_is_not_carried_out_later(past: Past) -> None:
    await past.append(SERVICE, CommandDeclined(command="X", reason="no"), command_id="c1")
    await past.append(SERVICE, probe(), command_id="c1")
    (what,) = broken(past.checker(), LATER)["acknowledged"]
    assert what == "command c1 was declined at 1 already"


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


async def test_what_is_asked_again_without_an_answer_may_be_where_it_was_asked_first(
    past: Past,
) -> None:
    for command_id in ("c1", "c2"):
        await past.append(SERVICE, probe(), command_id=command_id)
    checker = past.checker()
    for command_id in ("c1", "c2"):
        checker.invoked(Invoked(command_id, SERVICE, "RequestProbe", 1.0))
    checker.returned(Returned("unknown", "c1", "", 0, 2.0))
    checker.returned(Returned("ok", "c2", "done", 2, 2.0))
    answered(checker, "c1", SERVICE, 1)
    assert broken(checker, LATER) == {}


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


@pytest.mark.parametrize("outcome", ["invalid", "unchanged"])
async def test_an_answer_without_facts_says_nothing_of_the_order(past: Past, outcome: str) -> None:
    await past.append(SERVICE, probe(), command_id="c1")
    checker = past.checker()
    answered(checker, "c1", SERVICE, 1)
    checker.invoked(Invoked("c2", SERVICE, "X", 3.0))
    kind: Return = "fail" if outcome == "invalid" else "ok"
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
