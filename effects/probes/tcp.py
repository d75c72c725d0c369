"""A TCP check is good when a connection is accepted; it is closed again at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from effects.probes.looking import Bad, Finding, Good, connection_failure, observe

if TYPE_CHECKING:
    from effects.ports import Observed
    from events.service import TcpCheck


class TcpProbe:
    """Connects to a port."""

    async def probe(self, check: TcpCheck) -> Observed:
        """Look once."""
        silence = f"no answer from {check.host}:{check.port}"
        return await observe(_look(check), check.timeout_seconds, silence)


async def _look(check: TcpCheck) -> Finding:
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(asyncio.Protocol, check.host, check.port)
    except TimeoutError:
        raise
    except OSError as error:
        return connection_failure(error, check.host, f"{check.host}:{check.port}")
    is_own = is_connected_to_itself(transport)
    transport.close()
    return Bad(f"connection refused by {check.host}:{check.port}") if is_own else Good()


def is_connected_to_itself(transport: asyncio.BaseTransport) -> bool:
    """Say whether both ends are ours.

    Where nobody listens on a local port, the kernel may choose that very port for our end, and
    the connection is accepted by itself (a simultaneous open, RFC 9293, 3.5).
    """
    return bool(transport.get_extra_info("sockname") == transport.get_extra_info("peername"))
