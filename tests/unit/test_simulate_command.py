"""`standfast simulate`: one seed says whether it is clean, many must have tried every claim."""

from __future__ import annotations

import json
import shlex

import pytest
from typer.testing import CliRunner

from scenarios.simulation.search import seeds_to_find
from scenarios.simulation.settings import again
from standfast.cli.app import app

SHORT = ("--days", "0.005", "--services", "1", "--failures-per-day", "0", "--faults-per-day", "0")


def test_one_seed_that_holds_is_clean_whatever_it_never_tried() -> None:
    done = CliRunner().invoke(app, ["simulate", "--seed", "7", *SHORT, "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["clean"]) == (0, True)
    assert "world: acted" in told["never_exercised"]


def test_many_seeds_that_hold_and_never_tried_a_claim_have_a_code_of_their_own() -> None:
    done = CliRunner().invoke(app, ["simulate", "--seed", "7", "--seeds", "2", *SHORT])
    assert done.exit_code == 3
    assert "never exercised: " in done.output


def test_the_printed_command_tells_a_seed_that_is_mended_from_one_that_is_not() -> None:
    bug = "missing-fence"
    _, result = seeds_to_find(bug)
    assert result is not None
    words = again(result.settings).split()
    assert CliRunner().invoke(app, words[1:]).exit_code == 1
    mended = words[1 : words.index("--bug")]
    assert CliRunner().invoke(app, mended).exit_code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "--days 0.001",
        "--days nan",
        "--failures-per-day inf",
        "--failures-per-day nan",
        "--faults-per-day inf",
        "--heal-seconds inf",
        "--days 366 --services 2000 --failures-per-day 86400",
    ],
)
def test_a_run_that_tries_nothing_or_never_ends_is_refused(wrong: str) -> None:
    assert CliRunner().invoke(app, ["simulate", *shlex.split(wrong)]).exit_code == 2
