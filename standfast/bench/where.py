"""Where and when a figure was measured, and of which build: without that it is tied to nothing."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from events.build import build_id

_PROCESSORS = Path("/proc/cpuinfo")


def where_measured() -> dict[str, Any]:
    """Give the build, the date (UTC), the machine and the cores that this process may use."""
    return {
        "build": build_id(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """Give the processor's name as the kernel shows it, or its architecture."""
    try:
        lines = _PROCESSORS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()
