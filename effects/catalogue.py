"""Effects by name: what can be done here, what will be one day, and what nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from effects.contract import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from effects.contract import Effect

LATER = {
    "backup.run": "a backup engine",
    "backup.restore": "a backup engine",
    "failover.switch": "a failover adapter",
}
"""Effects that are named already, and what they need that this build has not."""


def find_effect(effects: Mapping[str, Effect[Any]], name: str) -> Effect[Any] | Failed:
    """Give the effect of a name, or the refusal."""
    known = effects.get(name)
    if known is not None:
        return known
    there_are = f"known effects: {', '.join(sorted(effects)) or 'none'}"
    if name in LATER:
        reason = f"{name} needs {LATER[name]}, which this build has not; {there_are}"
    else:
        reason = f"no effect is called {name[:60]!r}; {there_are}"
    return Failed(reason, permanent=True)
