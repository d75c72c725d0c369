"""The policies that a host owns are at work there, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.policies import POLICIES
from actors.runtime.policy_runner import PolicyRunner
from events.address import EntityAddress

if TYPE_CHECKING:
    from datetime import datetime

    from actors.runtime.crew import Crew
    from actors.runtime.mailroom import Mailroom
    from actors.runtime.ownership import Ownership
    from events.log import Log


@dataclass(slots=True)
class Runners:
    """One runner for each policy of a host."""

    log: Log
    mailroom: Mailroom
    crew: Crew
    _running: dict[EntityAddress, PolicyRunner] = field(default_factory=dict)

    def start(self, ownership: Ownership) -> None:
        """Set those to work that are owned and are not at work."""
        for policy in POLICIES:
            address = EntityAddress("policy", policy.id)
            if ownership.owns(address) and address not in self._running:
                entity, mailroom = self.mailroom.entity(address), self.mailroom
                runner = PolicyRunner(policy, entity, self.log, mailroom.submit, mailroom.due_again)
                self._running[address] = runner
                runner.work = self.crew.spawn(runner.run())

    def stop(self, address: EntityAddress) -> None:
        """Stop one, where it is at work."""
        if (runner := self._running.pop(address, None)) is not None:
            runner.stop()

    def stop_all(self) -> None:
        """Stop every one."""
        for address in list(self._running):
            self.stop(address)

    def get(self, address: EntityAddress) -> PolicyRunner | None:
        """Give the runner of a policy, or None where the address is no policy at work."""
        return self._running.get(address)

    def waiting(self, moment: datetime) -> dict[str, dict[str, int]]:
        """Give which orders of before a moment wait for an answer: policy, target, how many."""
        found = {address.id: one.waiting(moment) for address, one in self._running.items()}
        return {policy: targets for policy, targets in found.items() if targets}
