"""Arguments are read as people write them, and what is wrong is refused with what is valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from standfast.cli.arguments import Which, known_address, moment_of, nearest
from standfast.cli.replay import place_of
from standfast.cli.terminal import EXIT_USAGE, plain, styled

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta()),
        ("NOW", timedelta()),
        ("10m", timedelta(minutes=10)),
        ("-10m", timedelta(minutes=10)),
        ("2h ago", timedelta(hours=2)),
        ("90s", timedelta(seconds=90)),
        ("2026-11-25T11:00:00Z", timedelta(hours=1)),
        ("2026-11-25T11:00:00", timedelta(hours=1)),
        ("2026-11-25T12:00:00+01:00", timedelta(hours=1)),
    ],
)
def test_a_moment_is_read(text: str, ago: timedelta) -> None:
    assert moment_of("--since", text, NOW) == NOW - ago


@pytest.mark.parametrize("text", ["yesterday", "10x", "--", "2026-13-01", "\x1b[31m", "9" * 400])
def test_what_is_no_moment_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(typer.Exit) as ended:
        moment_of("--since", text, NOW)
    assert ended.value.exit_code == EXIT_USAGE


def test_digits_are_a_sequence_and_all_else_a_moment() -> None:
    assert place_of("--until", "42") == 42
    assert isinstance(place_of("--until", "42m"), datetime)
    assert place_of("--until", "") is None


@pytest.mark.parametrize("address", ["service", "servce/x", "Service/x", "service/", "/x"])
def test_a_wrong_address_is_a_mistake_of_usage(address: str) -> None:
    with pytest.raises(typer.Exit) as ended:
        known_address(address)
    assert ended.value.exit_code == EXIT_USAGE


def test_an_unknown_kind_is_a_mistake_of_usage() -> None:
    with pytest.raises(typer.Exit) as ended:
        Which.read("srvice", "")
    assert ended.value.exit_code == EXIT_USAGE


def test_entities_are_found_by_kind_by_id_and_by_both() -> None:
    assert Which.read("", "").filters == ["sf.>"]
    assert Which.read("service", "").filters == ["sf.service.>"]
    one = Which.read("service", "a.b").filters
    any_kind = Which.read("", "a.b").filters
    assert one[0].startswith("sf.service.")
    assert one[0].endswith(".a%2Eb")
    assert any_kind[0].split(".")[1] == "*"
    assert any_kind[0].split(".")[2:] == one[0].split(".")[2:]


def test_the_nearest_word_is_named_or_all_there_are() -> None:
    assert "'journal'" in nearest("jornal", ["journal", "alert"])
    assert nearest("zzz", ["b", "a"]) == "; there are a, b"


def test_text_from_elsewhere_has_no_markup_and_no_control_characters() -> None:
    assert plain("[red]x[/]") == r"\[red]x\[/]"
    assert "\x1b" not in plain("\x1b]0;title\x07")
    assert "\n" not in plain("a\nb")
    assert styled("a[", "bold", 4).startswith("[bold]a[")
