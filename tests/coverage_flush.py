"""Lines run in a process that is killed later are counted: each child saves them every second."""

import os
import threading

from coverage import Coverage
from coverage.exceptions import CoverageException
from coverage.plugin_support import Plugins

FLUSH_INTERVAL_SECONDS = 1.0
CHILD_VARIABLE = "COVERAGE_PROCESS_CONFIG"


def coverage_init(_registry: Plugins, _options: dict[str, object]) -> None:
    """Start the saver where coverage was started by a parent process, as in a Ray worker."""
    if CHILD_VARIABLE in os.environ:
        threading.Thread(target=flush_forever, name="coverage-flush", daemon=True).start()


def flush_forever() -> None:
    """Save what was measured so far, again and again, until the process ends."""
    never = threading.Event()
    while not never.wait(FLUSH_INTERVAL_SECONDS):
        flush(Coverage.current())


def flush(coverage: Coverage | None) -> None:
    """Save what one measurement collected; a file that is busy is tried again later."""
    collector = coverage._collector if coverage else None
    if collector is None:
        return
    try:
        collector.flush_data()
    except CoverageException:
        return
