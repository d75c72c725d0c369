"""Every decider by its kind: the one list that hosts, replay and tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.alert import ALERT
from actors.base import Decider
from actors.host import HOST
from actors.incident import INCIDENT
from actors.placement import PLACEMENT
from actors.platform import PLATFORM
from actors.policies import POLICIES, decider_of
from actors.recovery import RECOVERY
from actors.service import SERVICE
from actors.storage import STORAGE
from actors.topology import TOPOLOGY

if TYPE_CHECKING:
    from events.address import EntityAddress

_DECIDERS: tuple[Decider[Any], ...] = (
    SERVICE,
    TOPOLOGY,
    PLATFORM,
    INCIDENT,
    ALERT,
    RECOVERY,
    PLACEMENT,
    HOST,
    STORAGE,
)
DECIDERS: dict[str, Decider[Any]] = {decider.kind: decider for decider in _DECIDERS}
POLICY_DECIDERS: dict[str, Decider[Any]] = {policy.id: decider_of(policy) for policy in POLICIES}
KINDS: tuple[str, ...] = (*DECIDERS, "policy")


class UnknownKindError(LookupError):
    """There is no decider for an address; the message lists the kinds there are."""


def decider_for(entity: EntityAddress) -> Decider[Any]:
    """Give the decider of an entity. Raises `UnknownKindError`."""
    if entity.kind == "policy" and entity.id in POLICY_DECIDERS:
        return POLICY_DECIDERS[entity.id]
    if entity.kind in DECIDERS:
        return DECIDERS[entity.kind]
    known = ", ".join(sorted(KINDS))
    message = f"nothing is known of {entity}; kinds are {known}"
    raise UnknownKindError(message)
