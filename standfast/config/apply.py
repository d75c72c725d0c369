"""A configuration becomes events: only what changed, and what left it is retired."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.platform import ConfigurePlatform
from actors.runtime.store import Store
from actors.service import ConfigureService, RetireService, Watched
from actors.topology import DeclareTopology
from events.address import EntityAddress
from events.placement import BucketRange
from events.platform import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.base import Command
    from actors.runtime.commands import Answer, CommandClient
    from events.log import Log
    from standfast.config.load import Loaded
    from standfast.config.model import Configuration

AT_ONCE_MAX = 100
EXECUTOR = "executor"

Change = tuple[EntityAddress, "Command"]


class NotAppliedError(Exception):
    """A part of the configuration was declined by the entity it is for."""


def platform_settings(configuration: Configuration) -> PlatformSettings:
    """Give what policies must know of a configuration."""
    return PlatformSettings(
        receivers=configuration.alerting.receivers,
        escalation=configuration.alerting.escalation,
        settle_seconds=configuration.correlation.settle_seconds,
        recovery_mode=configuration.recovery.mode,
        approval_seconds=configuration.recovery.approval_seconds,
        executor=EXECUTOR,
    )


async def changes(log: Log, loaded: Loaded) -> list[list[Change]]:
    """Give the commands that a configuration needs, in the order of their groups.

    Policies learn the platform and its shape before they hear of services.
    """
    configuration, digest = loaded.configuration, loaded.digest
    name = configuration.platform.name
    shape: list[Change] = [
        (
            EntityAddress("platform", name),
            ConfigurePlatform(settings=platform_settings(configuration), configuration_hash=digest),
        ),
        (
            EntityAddress("topology", name),
            DeclareTopology(services=configuration.topology(), configuration_hash=digest),
        ),
    ]
    known = await _watched(log)
    wanted: list[Change] = [
        (EntityAddress("service", service), _configure(settings, digest))
        for service, settings in configuration.services.items()
        if service not in known or known[service].settings != settings
    ]
    retired: list[Change] = [
        (EntityAddress("service", service), _retire(loaded.source, digest))
        for service in known
        if service not in configuration.services
    ]
    return [shape, [*wanted, *retired]]


def _configure(settings: object, digest: str) -> ConfigureService:
    return ConfigureService.model_validate({"settings": settings, "configuration_hash": digest})


def _retire(source: str, digest: str) -> RetireService:
    return RetireService(reason=f"it is not in {source}", configuration_hash=digest)


async def _watched(log: Log) -> dict[str, Watched]:
    entities = await Store(log).load([BucketRange(kind="service")])
    return {
        address.id: entity.state
        for address, entity in entities.items()
        if isinstance(entity.state, Watched)
    }


async def apply(log: Log, commands: CommandClient, loaded: Loaded) -> int:
    """Make the log say what the configuration says; gives how many facts that took.

    Raises `NotAppliedError` and `NoAnswerError`.
    """
    facts = 0
    for group in await changes(log, loaded):
        for start in range(0, len(group), AT_ONCE_MAX):
            some = group[start : start + AT_ONCE_MAX]
            answers = await asyncio.gather(*[commands.send(*change) for change in some])
            facts += sum(1 for answer in answers if answer.outcome.value == "done")
            _check(some, answers)
    return facts


def _check(group: Iterable[Change], answers: Iterable[Answer]) -> None:
    for (entity, _), answer in zip(group, answers, strict=True):
        if not answer.accepted:
            message = f"{entity} declined its configuration: {answer.message}"
            raise NotAppliedError(message)
