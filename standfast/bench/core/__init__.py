"""The core: appends, telemetry, replay, commands, hosts and projections."""

from __future__ import annotations

from standfast.bench.core.appending import measure_appends
from standfast.bench.core.commanding import measure_commands
from standfast.bench.core.hosting import measure_hosting
from standfast.bench.core.replaying import measure_replay
from standfast.bench.core.sampling import measure_telemetry
from standfast.bench.core.starting import measure_start
from standfast.bench.measurement import Measurement

CORE: tuple[Measurement, ...] = (
    Measurement("appends", measure_appends),
    Measurement("telemetry", measure_telemetry),
    Measurement("replay and projections", measure_replay),
    Measurement("commands", measure_commands),
    Measurement("ten thousand entities", measure_hosting),
    Measurement("start", measure_start),
)
