"""What goes wrong with a command is one line for people, and an exit code."""

from __future__ import annotations

import pytest
import typer

from events.log import LogLostEndError
from standfast.cli.work import speaking


def test_a_log_that_lost_its_end_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, speaking():
        raise LogLostEndError("STANDFAST_STATE", 7, 5)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert "the log lost its end: STANDFAST_STATE was known up to 7" in said
    assert "standfast verify" in said
    assert "Traceback" not in said
