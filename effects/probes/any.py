"""Every check finds its probe here, and an error in a probe is that probe's failure, no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from effects.probes.command import CommandProbe
from effects.probes.http import HttpProbe
from effects.probes.looking import Bad, observed
from effects.probes.process import ProcessProbe
from effects.probes.tcp import TcpProbe
from events.service import CommandCheck, HttpCheck, ProcessCheck, TcpCheck

if TYPE_CHECKING:
    from pathlib import Path

    from effects.ports import Observed
    from events.service import Check

_LOGGER = logging.getLogger(__name__)


class AnyProbe:
    """All probes of one prober."""

    def __init__(self, children: Path | None = None) -> None:
        """Find supervised children by their records in a directory."""
        self._http = HttpProbe()
        self._tcp = TcpProbe()
        self._process = ProcessProbe(children)
        self._command = CommandProbe()

    async def probe(self, check: Check) -> Observed:
        """Look once, by the check's own way. Raises nothing but cancellation."""
        try:
            return await self._probe(check)
        except Exception as error:  # a bad setting or a mistake of ours; the others go on
            _LOGGER.exception("the probe of check %s failed by itself", check.name)
            return observed(Bad(f"the probe itself failed: {type(error).__name__}"), 0.0)

    async def close(self) -> None:
        """Give back what the probes hold."""
        await self._http.close()

    async def _probe(self, check: Check) -> Observed:
        match check:
            case HttpCheck():
                return await self._http.probe(check)
            case TcpCheck():
                return await self._tcp.probe(check)
            case ProcessCheck():
                return await self._process.probe(check)
            case CommandCheck():
                return await self._command.probe(check)
