"""A position is found again exactly where the life of the log it is of is part of the present."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from events.base import FENCE_BITS, Position, fence_of, generation_of, named_in
from events.identity import LogIdentity, identity_in, metadata_of

FIRST = LogIdentity("log", 1)


@dataclass
class History:
    """What really happened: every life is a list of commits, each with a name of its own."""

    identity: LogIdentity = FIRST
    commits: list[int] = field(default_factory=list)
    written: int = 0
    lives: dict[int, list[int]] = field(default_factory=dict)
    backups: list[tuple[LogIdentity, list[int]]] = field(default_factory=list)
    newest: int = 1

    def write(self, count: int) -> None:
        for _ in range(count):
            self.written += 1
            self.commits.append(self.written)

    def back_up(self) -> None:
        self.backups.append((self.identity, list(self.commits)))

    def restore(self, which: int) -> None:
        identity, commits = self.backups[which % len(self.backups)]
        self.lives[self.identity.generation] = list(self.commits)
        self.identity = self.identity.successor(identity, len(commits), self.newest)
        self.newest = self.identity.generation
        self.commits = list(commits)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 5)),
        st.tuples(st.just("back_up"), st.just(0)),
        st.tuples(st.just("restore"), st.integers(0, 9)),
    ),
    max_size=30,
)


def lived(through: list[tuple[str, int]]) -> History:
    history = History()
    history.back_up()
    for step, argument in through:
        match step:
            case "write":
                history.write(argument)
            case "back_up":
                history.back_up()
            case _:
                history.restore(argument)
    return history


@given(steps)
def test_no_position_of_a_life_that_was_given_up_is_taken_for_a_present_one(
    through: list[tuple[str, int]],
) -> None:
    history = lived(through)
    for generation, commits in history.lives.items():
        for sequence, name in enumerate(commits, 1):
            place = history.identity.place_of(Position("log", generation, sequence))
            if place is not None:
                assert history.commits[place - 1] == name


@given(steps)
def test_every_position_of_the_present_life_is_found(through: list[tuple[str, int]]) -> None:
    history = lived(through)
    for sequence in range(len(history.commits) + 1):
        position = history.identity.position(sequence)
        assert history.identity.place_of(position) == sequence


@given(steps)
def test_what_two_lives_share_has_one_position(through: list[tuple[str, int]]) -> None:
    history = lived(through)
    before = [history.identity.position(n + 1) for n in range(len(history.commits))]
    history.back_up()
    history.restore(len(history.backups) - 1)
    after = [history.identity.position(n + 1) for n in range(len(history.commits))]
    assert after == before


@given(steps)
def test_an_identity_survives_its_metadata(through: list[tuple[str, int]]) -> None:
    identity = lived(through).identity
    assert identity_in(metadata_of(identity)) == identity


def test_a_position_of_another_log_is_nowhere() -> None:
    assert FIRST.place_of(Position("another", 1, 1)) is None
    assert FIRST.place_of(Position("log", 2, 1)) is None


def test_a_restored_log_keeps_what_the_backup_held_and_nothing_after() -> None:
    second = FIRST.successor(FIRST, 100, 1)
    assert second == LogIdentity("log", 2, ((1, 100),))
    assert second.place_of(Position("log", 1, 100)) == 100
    assert second.place_of(Position("log", 1, 101)) is None
    assert second.position(100) == Position("log", 1, 100)
    assert second.position(101) == Position("log", 2, 101)


def test_a_generation_that_others_remember_is_not_used_again() -> None:
    assert FIRST.successor(FIRST, 5, 7).generation == 8


def test_a_fence_rises_though_the_sequences_go_back() -> None:
    assert fence_of(1, 9_000) == 9_000
    assert fence_of(2, 1) > fence_of(1, (1 << FENCE_BITS) - 1)
    assert [generation_of(fence_of(n, 77)) for n in (1, 2, 3)] == [1, 2, 3]


def test_what_is_named_alike_in_two_generations_has_two_names() -> None:
    assert named_in(1, "alert/a#1") == "alert/a#1"
    assert named_in(2, "alert/a#1") != named_in(3, "alert/a#1")
