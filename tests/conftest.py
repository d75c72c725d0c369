"""Every fixture module is a plug-in here, and what was left out is said at the end of a run."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

FIXTURES_FOLDER = Path(__file__).parent / "fixtures"
SKIPS_ARE_FAILURES_VARIABLE = "STANDFAST_SKIPS_ARE_FAILURES"

settings.register_profile("standfast", deadline=None)
settings.load_profile("standfast")
"""An example may take its time: the machine may be busy. Each test has a limit of its own."""

pytest_plugins = [
    f"tests.fixtures.{path.stem}"
    for path in sorted(FIXTURES_FOLDER.glob("*.py"))
    if path.stem != "__init__"
]


def pytest_configure() -> None:
    """Hear Ctrl-C, and let what the tests start hear it: a shell's background jobs do not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make a run with skips a failed one, where the caller installed all that tests need."""
    if skips_are_failures() and left_out(reporter_of(session.config)):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Print each test that was left out, and what was missing."""
    reports = left_out(terminalreporter)
    terminalreporter.section(f"left out: {len(reports)}")
    for report in reports:
        terminalreporter.write_line(f"{report.nodeid}: {reason_of(report)}")
    if reports and skips_are_failures():
        terminalreporter.write_line(f"{SKIPS_ARE_FAILURES_VARIABLE} is set: the run has failed")


def skips_are_failures() -> bool:
    """Say whether a test that was left out fails the run."""
    return os.environ.get(SKIPS_ARE_FAILURES_VARIABLE, "") == "1"


def reporter_of(config: pytest.Config) -> "TerminalReporter":
    """Return pytest's own account of the run."""
    reporter: TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None, "pytest runs without its terminal plug-in"
    return reporter


def left_out(reporter: "TerminalReporter") -> list[pytest.TestReport | pytest.CollectReport]:
    """Return the reports of skipped tests and modules."""
    return list(reporter.stats.get("skipped", []))


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was left out, in the words of its skip."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)
