"""An upgrade of what runs: readers first, writers last, and back where the new build is not well.

The plain processes are replaced one after the other, then the hosts, bucket by bucket. What is
new has to be well before the next is touched.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.recovery.child import Refused
from events.build import build_id
from standfast.running import build_of, pid_of
from standfast.supervisor.replacement import FAILURES, Replacement
from standfast.upgrade_account import Account, read_account, with_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.runtime.commands import CommandClient
    from effects.recovery.child import ChildSpec
    from effects.recovery.process import ChildProcesses
    from standfast.config.model import Configuration
    from standfast.paths import StateDirectory
    from standfast.supervisor.hosts import Hosts

START_SECONDS = 20.0
STEADY_SECONDS = 0.5
LOOK_SECONDS = 0.05


class NotStartedError(Exception):
    """A process of this build did not start, or did not stay."""


@dataclass(slots=True)
class Upgrading:
    """Brings all that runs to this build. `specs` are the plain processes, in their order."""

    directory: StateDirectory
    children: ChildProcesses
    hosts: Hosts
    commands: CommandClient
    specs: Sequence[ChildSpec]
    say: Callable[[str], None]

    async def run(self, configuration: Configuration) -> bool:
        """Replace what is of another build; False where that failed and is not undone by now."""
        plan = await Replacement.plan(self.hosts, self.commands, configuration, self._said)
        old = [spec for spec in self.specs if self._build_of(spec.name) != build_id()]
        asked = read_account(self.directory)
        if not old and plan is None:
            if asked is not None and not asked.is_over:
                self._end("done")
            return True
        account = asked if asked is not None and not asked.is_over else Account(state="asked")
        begun = {"state": "under way", "build": build_id()}
        account.model_copy(update=begun).write(self.directory)
        if plan is not None:
            plan.may_park = account.may_park
        self._said(f"this is {build_id()}; what runs of another build is replaced")
        return await self._replace(old, plan)

    async def _replace(self, old: Sequence[ChildSpec], plan: Replacement | None) -> bool:
        try:
            if plan is not None:
                await plan.prepare()
            for spec in old:
                await self._replace_process(spec)
            if plan is not None:
                await plan.move()
        except (*FAILURES, NotStartedError) as error:
            await self._go_back(plan)
            self._end("failed", str(error))
            self.say(f"the upgrade failed: {error}")
            return False
        self._end("done")
        self.say(f"everything runs {build_id()}")
        return True

    async def _go_back(self, plan: Replacement | None) -> None:
        if plan is None:
            return
        try:
            await plan.go_back()
        except FAILURES as error:
            self._said(f"going back failed as well: {error}")

    async def _replace_process(self, spec: ChildSpec) -> None:
        """Stop a process and start it as this build. Raises `NotStartedError`."""
        outcome = await self.children.restart(spec)
        if isinstance(outcome, Refused):
            raise NotStartedError(f"{spec.name} could not be started: {outcome.reason}")
        until = time.monotonic() + START_SECONDS
        while self._build_of(spec.name) != build_id():
            if time.monotonic() > until:
                raise NotStartedError(f"{spec.name} did not start; {self._log_of(spec)} says why")
            await asyncio.sleep(LOOK_SECONDS)
        pid = pid_of(self.children, spec.name)
        await asyncio.sleep(STEADY_SECONDS)
        if pid is None or pid_of(self.children, spec.name) != pid:
            raise NotStartedError(f"{spec.name} did not stay; {self._log_of(spec)} says why")
        self._said(f"{spec.name} runs as process {pid}")

    def _build_of(self, name: str) -> str:
        return build_of(self.directory, name, pid_of(self.children, name))

    def _log_of(self, spec: ChildSpec) -> str:
        return str(self.children.log_path(spec))

    def _said(self, line: str) -> None:
        with_line(self.directory, line)
        self.say(line)

    def _end(self, state: str, reason: str = "") -> None:
        account = read_account(self.directory)
        lines = account.lines if account is not None else ()
        ended = Account.model_validate(
            {"state": state, "build": build_id(), "lines": lines, "reason": reason}
        )
        ended.write(self.directory)
