"""Sixty faults by chance while 200 commands a second flow: each claim is tried, and holds."""

import secrets
from pathlib import Path

import pytest

from scenarios.checker.broken_times import IN_CALM
from scenarios.faults.injecting import CALM_EVERY
from scenarios.faults.parts import run_parts
from scenarios.faults.run import RunSettings

FAULTS, SECONDS, PER_SECOND = 60, 150.0, 200.0


@pytest.mark.alone
@pytest.mark.timeout(900)
async def test_random_faults_break_no_invariant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = RunSettings(secrets.randbelow(2**31), FAULTS, SECONDS, PER_SECOND)
    told = [f"seed {settings.seed}"]
    async for part in run_parts(settings, 1, tmp_path, lambda one: told.append(one.as_text())):
        told.extend(part.lines)
        with capsys.disabled():  # the seed and what was met are shown, whatever comes of it
            print("", *told, sep="\n")  # noqa: T201
        assert part.is_clean, f"standfast faults --seed {settings.seed} --faults {FAULTS}"
        done = [one["fault"] for one in part.content["faults"]]
        assert done.count(IN_CALM) == FAULTS // CALM_EVERY
        assert len(done) >= FAULTS + FAULTS // CALM_EVERY
