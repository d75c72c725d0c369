"""Which fact of one kind makes which command for another."""

from __future__ import annotations

from actors.policies.base import Policy, PolicyState, decider_of
from actors.policies.correlate import CORRELATE
from actors.policies.mend import MEND
from actors.policies.tell import TELL

__all__ = ["POLICIES", "Policy", "PolicyState", "decider_of"]

POLICIES: tuple[Policy, ...] = (CORRELATE, TELL, MEND)  # type: ignore[type-arg]
"""Every policy; each has a state of its own type."""
