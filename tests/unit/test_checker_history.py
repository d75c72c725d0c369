"""A log is one history without gaps, and what hosts know is what it leads to."""

from __future__ import annotations

from dataclasses import replace

from actors.deciders import decider_for
from events.address import EntityAddress
from events.base import Mark
from events.commit import Head
from scenarios.checker.records import KnownState, Source
from tests.checking import broken
from tests.past import LATER, SERVICE, Past, placed, probe
from tests.story import steady


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
