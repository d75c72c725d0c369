"""Whatever fails and recovers in whatever order: each failure is in one incident, and all end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.policies.base import Consider, Observe
from events.service import ServiceProbeRequested
from tests.correlating import DECIDER, EPOCH, Correlating, envelope, position

NAMES = ("a", "b", "c", "d", "e", "f")


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Draw a graph without circles: a service needs only some of those before it."""
    return {
        name: tuple(draw(st.lists(st.sampled_from(NAMES[:place]), unique=True, max_size=3)))
        if place
        else ()
        for place, name in enumerate(NAMES)
    }


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("down"), st.sampled_from(NAMES)),
        st.tuples(st.just("healthy"), st.sampled_from(NAMES)),
        st.tuples(st.just("retire"), st.sampled_from(NAMES)),
        st.tuples(st.just("time"), st.sampled_from(["0.5", "2", "5"])),
    ),
    max_size=40,
)


def play(world: Correlating, history: list[tuple[str, str]]) -> None:
    for what, argument in history:
        match what:
            case "down":
                world.down(argument)
            case "healthy":
                world.healthy(argument)
            case "retire":
                world.retire(argument)
            case _:
                world.pass_time(float(argument))


@given(graphs(), happenings)
@settings(deadline=None, max_examples=300)
def test_every_failure_is_in_one_incident_and_all_clear_closes_all(
    graph: dict[str, tuple[str, ...]], history: list[tuple[str, str]]
) -> None:
    world = Correlating(graph)
    play(world, history)
    world.settle()
    world.check()
    world.healthy(*sorted(world.failing))
    world.settle()
    world.check()
    assert world.open() == {}
    assert (world.picture.symptoms, world.picture.cases) == ({}, {})


@given(graphs(), st.permutations(NAMES), st.lists(st.sampled_from([0.0, 1.0, 4.0]), min_size=6))
@settings(deadline=None, max_examples=200)
def test_what_fails_because_of_one_root_is_one_incident_in_any_order(
    graph: dict[str, tuple[str, ...]], order: list[str], pauses: list[float]
) -> None:
    rooted = {name: (*needs, "root") for name, needs in graph.items()}
    world = Correlating({"root": (), **rooted})
    for name, pause in zip([*order[:3], "root", *order[3:]], [*pauses, 0.0], strict=False):
        world.down(name)
        world.pass_time(pause)
    world.settle()
    world.check()
    ((_, incident),) = world.open().items()
    assert incident.cause == "root"
    assert set(incident.members) == {*NAMES, "root"}


@given(graphs(), happenings)
@settings(deadline=None, max_examples=100)
def test_a_cause_needs_no_other_failure_that_was_placed(
    graph: dict[str, tuple[str, ...]], history: list[tuple[str, str]]
) -> None:
    world = Correlating(graph)
    play(world, history)
    world.settle()
    placed = set(world.picture.symptoms)
    for case in world.picture.cases.values():
        if case.cause in placed:
            needs = set(graph[case.cause])
            assert not needs & placed, f"{case.cause} is an effect of {needs & placed}"


@given(graphs(), happenings)
@settings(deadline=None, max_examples=50)
def test_events_that_are_read_again_change_nothing(
    graph: dict[str, tuple[str, ...]], history: list[tuple[str, str]]
) -> None:
    world = Correlating(graph)
    play(world, history)
    for sequence in range(world.sequence + 1):
        read = envelope("service/a", ServiceProbeRequested(reason=""), sequence, EPOCH)
        again = Observe.model_construct(envelope=read, delivered=0)
        if world.state.position and sequence <= world.state.position.sequence:
            assert DECIDER.decide(world.state, again, world.now) == []


def test_a_policy_keeps_the_furthest_place_it_read() -> None:
    world = Correlating({"a": (), "b": ("a",)})
    world.down("b")
    read = world.state.position
    world.now = world.picture.symptoms["b"].settles_at
    decision = DECIDER.decide(
        world.state, Consider(position=position(1), index=0, delivered=0), world.now
    )
    assert isinstance(decision, list)
    state = world.state
    for event in decision:
        state = DECIDER.evolve(state, event)
    assert state.position == read
    assert state.knows.symptoms["b"].incident
