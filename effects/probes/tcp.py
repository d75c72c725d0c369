"""A TCP check is good when a connection is accepted; it is closed again at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from effects.probes.looking import Finding, Good, connection_failure, observe

if TYPE_CHECKING:
    from effects.ports import Observed
    from events.service import TcpCheck

HAPPY_EYEBALLS_SECONDS = 0.25


class TcpProbe:
    """Connects to a port."""

    async def probe(self, check: TcpCheck) -> Observed:
        """Look once."""
        silence = f"no answer from {check.host}:{check.port}"
        return await observe(_look(check), check.timeout_seconds, silence)


async def _look(check: TcpCheck) -> Finding:
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(
            asyncio.Protocol,
            check.host,
            check.port,
            happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS,
        )
    except TimeoutError:
        raise
    except OSError as error:
        return connection_failure(error, check.host, f"{check.host}:{check.port}")
    transport.close()
    return Good()
