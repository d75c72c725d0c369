"""The guard of a run: when the run is gone, however it ended, it ends what the run left."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from scenarios.faults.left import end_all


def main(home: Path) -> None:
    """Wait for the end of standard input, whose other end the run alone holds."""
    sys.stdin.buffer.read()
    asyncio.run(end_all(home))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
