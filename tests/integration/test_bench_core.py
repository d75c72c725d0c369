"""Each measurement of the core runs to its end on a real server, here with little to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from standfast.bench.core import appending, commanding, hosting, replaying, sampling, starting
from standfast.bench.ground import GroundError, ground

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from standfast.bench.figure import Figure

BESIDE = "host_recovery_under_ray_seconds"
"""A figure without a goal."""
FEW: tuple[tuple[object, dict[str, int], tuple[str, ...]], ...] = (
    (
        appending,
        {"SEQUENTIAL_COMMITS": 20, "INFLIGHT_ENTITIES": 5, "INFLIGHT_COMMITS": 4, "ROUNDS": 1},
        ("append_sequential", "append_inflight"),
    ),
    (sampling, {"BATCHES": 120, "ROUNDS": 1}, ("telemetry_samples_per_second",)),
    (
        replaying,
        {"SERVICES": 5, "EVENTS_EACH": 6, "ROUNDS": 1, "PROJECTION_ROUNDS": 1},
        ("replay", "replay_vs_eventsourcing", "projection_events_per_second"),
    ),
    (
        commanding,
        {
            "BUSY_COMMANDS": 200,
            "BUSY_WORKERS": 20,
            "BUSY_ROUNDS": 1,
            "PACED_COMMANDS": 20,
            "PACED_ROUNDS": 1,
            "ENTITIES": 4,
        },
        ("commands_one_entity_per_second", "command_p50_ms", "command_p99_ms"),
    ),
    (
        hosting,
        {"ENTITIES": 50},
        ("entity_kb", "host_recovery_seconds", "host_recovery_without_checkpoint_seconds"),
    ),
    (starting, {}, ("ready_seconds", "host_recovery_under_ray_seconds")),
)


@pytest.mark.parametrize(
    ("module", "sizes", "names"), FEW, ids=lambda one: getattr(one, "__name__", "")
)
async def test_a_measurement_gives_its_figures(
    module: object,
    sizes: dict[str, int],
    names: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, size in sizes.items():
        monkeypatch.setattr(module, name, size)
    measure: Callable[[], Awaitable[Sequence[Figure]]] = next(
        value for name, value in vars(module).items() if name.startswith("measure_")
    )
    figures = {figure.name: figure for figure in await measure()}
    assert tuple(figures) == names
    figures.pop(BESIDE, None)
    assert all(figure.goal is not None and figure.met is not None for figure in figures.values())
    assert all(figure.peer for figure in figures.values() if figure.name != "ready_seconds")


async def test_what_is_measured_with_a_checkpoint_was_read_from_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def writes_none(*_: object) -> None:
        pass

    monkeypatch.setattr(hosting, "ENTITIES", 50)
    monkeypatch.setattr(hosting, "_write_checkpoint", writes_none)
    with pytest.raises(GroundError, match="it was not measured what was to be"):
        await hosting.measure_hosting()


async def test_nothing_of_a_ground_stays() -> None:
    async with ground(sync_always=False) as under:
        await under.place("service")
        host = await under.start_host()
        directory = under.directory
    assert host.poll() is not None
    assert not directory.exists()
