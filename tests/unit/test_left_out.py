"""A run says which tests it left out and what was missing, and may take that for a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPING = """
import pytest

def test_passes():
    pass

def test_needs_a_browser():
    pytest.skip("chromium is missing (package chromium)")
"""


def run_of(folder: Path, skips_are_failures: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_skipping.py").write_text(SKIPPING)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", str(folder)]
    environment = {**os.environ, "STANDFAST_SKIPS_ARE_FAILURES": skips_are_failures}
    return subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("skips_are_failures", "exit_code"), [("", 0), ("1", 1)])
def test_what_was_left_out_is_told_with_its_reason(
    tmp_path: Path, skips_are_failures: str, exit_code: int
) -> None:
    done = run_of(tmp_path, skips_are_failures)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "left out: 1" in done.stdout
    assert "test_needs_a_browser: chromium is missing (package chromium)" in done.stdout
