"""A foreign package `events` is installed beside us: ours is the one that every process imports."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standing import Standing


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Standing]:
    """An environment whose own site-packages hold an `events` that must never be imported."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    namesake = site / "events"
    namesake.mkdir()
    (namesake / "__init__.py").write_text("raise ImportError('the wrong events')\n")
    found = subprocess.run(
        [python, "-c", "import events"], capture_output=True, check=False, cwd="/"
    )
    assert b"the wrong events" in found.stderr
    standing = Standing(tmp_path / "state", python=str(python), is_told_where=False)
    old = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{old}"
    standing.start()
    yield standing
    standing.stop()
    os.environ["PATH"] = old


@pytest.mark.timeout(180)
async def test_workers_import_our_events_with_a_namesake_installed(crowded: Standing) -> None:
    await crowded.wait_ready()
    actors = await crowded.json("actors")
    assert all(host["ready"] for host in actors["hosts"])
