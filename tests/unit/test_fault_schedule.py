"""One seed draws one row of faults, and every fault has its turn."""

from scenarios.faults.schedule import SECONDS_MAX, Schedule


def _row(seed: int, count: int) -> list[tuple[str, str, float]]:
    schedule = Schedule(seed)
    drawn = [schedule.draw() for _ in range(count)]
    return [(one.fault.name, one.fault.target, one.seconds) for one in drawn]


def test_one_seed_draws_one_row_of_faults() -> None:
    assert _row(7, 100) == _row(7, 100)
    assert _row(7, 100) != _row(8, 100)


def test_every_fault_has_its_turn_and_its_time_is_bounded() -> None:
    drawn = _row(1, 2000)
    names = {name for name, _, _ in drawn}
    killed = {target for name, target, _ in drawn if name == "kill"}
    assert {"freeze", "double", "break", "cut", "lose acknowledgements"} <= names
    assert {"freeze across an intent", "kill across an intent", "partition to server"} <= names
    assert killed >= {"alert-host", "prober", "log", "supervisor", "raylet", "ray", "receiver"}
    assert all(0 < seconds <= SECONDS_MAX for _, _, seconds in drawn)
