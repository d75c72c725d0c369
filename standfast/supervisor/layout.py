"""Which host is to own what on one machine, and under which name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.placement import PlaceBuckets
from events.build import build_id
from events.placement import BucketRange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.placement import Placement
    from standfast.config.model import Configuration

HOSTED: dict[str, tuple[str, ...]] = {
    "service-host": ("service",),
    "alert-host": ("alert",),
    "recovery-host": ("recovery",),
    "coordinator": ("platform", "topology", "incident", "policy"),
}
"""Each host of one machine and the kinds it hosts, all buckets of them.

A host of a newer build takes over under another name: `alert-host@2`, then `alert-host` again.
"""


SUCCESSIONS_MAX = 9


def owners(placement: Placement) -> tuple[str, ...]:
    """Give the hosts that own anything."""
    owning = [name for name, ranges in placement.hosts.items() if ranges]
    return tuple(dict.fromkeys([*owning, *placement.isolated.values()]))


def layout(
    configuration: Configuration, placement: Placement, builds: Mapping[str, str]
) -> PlaceBuckets:
    """Give the placement that a configuration asks for, on hosts of this build.

    A host that owns its part already keeps its name, unless `builds` says that it is of another
    build: then a name is taken that owns nothing.
    """
    owning = owners(placement)

    def named(role: str) -> str:
        names = [role, *(f"{role}@{number}" for number in range(2, SUCCESSIONS_MAX + 1))]
        ours = [one for one in names if one in owning and builds.get(one, build_id()) == build_id()]
        return next(iter(ours or [one for one in names if one not in owning]))

    return PlaceBuckets(
        hosts={
            named(role): tuple(BucketRange(kind=kind) for kind in kinds)
            for role, kinds in HOSTED.items()
        },
        isolated={
            f"service/{name}": named(f"isolated-{name}")
            for name, settings in configuration.services.items()
            if settings.isolated
        },
    )
