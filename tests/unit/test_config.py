"""A configuration says what is wrong with it, and where, and never repeats a secret."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from standfast.config.environment import variables
from standfast.config.load import InvalidConfigurationError, Loaded, load_file, load_text
from standfast.config.model import Configuration

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD = """\
# a small platform
platform:
  name: shop
web:
  port: 8420
alerting:
  receivers: [ops]
  escalation:
    wait_seconds: 60
receivers:
  ops:
    type: webhook
    url: https://example.org/hook
services:
  db:
    title: The database
    checks:
      - kind: tcp
        port: 5432
    recovery:
      effect: process.restart
    process:
      command: [postgres, -D, data]
      environment:
        PGPASSWORD: env:PGPASSWORD
  app:
    checks:
      - kind: http
        url: http://127.0.0.1:8000/health
        interval_seconds: 1
        headers:
          Authorization: env:APP_TOKEN
    depends_on: [db]
"""


def load(text: str | bytes, environment: Mapping[str, str] | None = None) -> Loaded:
    content = text.encode() if isinstance(text, str) else text
    return load_text(content, "standfast.yaml", environment or {})


def mistakes(text: str | bytes, environment: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidConfigurationError) as caught:
        load(text, environment)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_good_file_is_read() -> None:
    configuration = load(GOOD).configuration
    assert configuration.platform.name == "shop"
    assert [check.name for check in configuration.services["db"].checks] == ["tcp"]
    assert configuration.topology()["app"].depends_on == ("db",)


def test_an_empty_file_is_a_configuration() -> None:
    for text in ("", "# nothing\n", "{}\n", "---\n"):
        assert load(text).configuration.services == {}


def test_the_same_text_has_the_same_digest() -> None:
    assert load(GOOD).digest == load(GOOD).digest != load(GOOD + "\n").digest


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("web:", "webb:"), 4, "the nearest is 'web'"),
        (("port: 8420", "prot: 8420"), 5, "the nearest is 'port'"),
        (("port: 8420", "port: high"), 5, "web.port: "),
        (("port: 8420", "port: 70000"), 5, "web.port: "),
        (("wait_seconds: 60", "wait_second: 60"), 9, "the nearest is 'wait_seconds'"),
        (("wait_seconds: 60", "wait_seconds: .inf"), 9, "wait_seconds"),
        (("wait_seconds: 60", "wait_seconds: -1"), 9, "wait_seconds"),
        (("kind: tcp", "kind: tpc"), 18, "'tcp'"),
        (("        port: 5432\n", "        prot: 5432\n"), 19, "the nearest is 'port'"),
        (("interval_seconds: 1", "intervall_seconds: 1"), 30, "the nearest is 'interval_seconds'"),
        (("interval_seconds: 1", "interval_seconds: soon"), 30, "interval_seconds"),
        (("effect: process.restart", "effect: process.dance"), 21, "process.restart"),
        (("    recovery:\n", "    recoverry:\n"), 20, "the nearest is 'recovery'"),
        (("type: webhook", "type: web"), 12, "'webhook'"),
        (("name: shop", "name: My Shop"), 3, "platform.name"),
        (("name: shop", "name: [shop"), 4, "not YAML"),
        (("  app:\n", "  db:\n"), 26, "not YAML"),
        (("  name: shop", "\tname: shop"), 3, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_near(
    change: tuple[str, str], line: int, words: str
) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    found = mistakes(text)
    assert any(one.startswith(f"line {line}: ") and words in one for one in found), found


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("port: 8420", "prot: 1").replace("kind: tcp", "kind: tpc")
    found = mistakes(text)
    assert [one.split(":")[0] for one in found] == ["line 5", "line 18"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("depends_on: [db]", "depends_on: [dbb]"), "there is no 'dbb'; there are: app, db"),
        (("receivers: [ops]", "receivers: [boss]"), "there is no 'boss'; there are: ops"),
        (("depends_on: [db]", "depends_on: [app]"), "circle: app -> app"),
        (("    title: The database\n", "    depends_on: [app]\n"), "in a circle: "),
        (
            ("      - kind: tcp\n", "      - kind: tcp\n        port: 1\n      - kind: tcp\n"),
            "'tcp'",
        ),
        (("web:\n", "web:\n  address: 0.0.0.0\n"), "at least one token"),
        (("  app:\n", f"  {'a' * 300}:\n"), "1 to 200 bytes"),
    ],
)
def test_what_no_single_field_shows_is_found(change: tuple[str, str], words: str) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    assert any(words in one for one in mistakes(text)), mistakes(text)


SECRET = "hunter2-the-secret"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("Authorization: env:APP_TOKEN", f"Authorization: Bearer {SECRET}"), "Authorization"),
        (("Authorization: env:APP_TOKEN", f"X-API-Key: {SECRET}"), "X-API-Key"),
        (("PGPASSWORD: env:PGPASSWORD", f"PGPASSWORD: {SECRET}"), "PGPASSWORD"),
        (("http://127.0.0.1:8000", f"http://ann:{SECRET}@127.0.0.1:8000"), "url"),
        (("https://example.org/hook", f"https://ann:{SECRET}@example.org/hook"), "url"),
        (("https://example.org/hook", f"https://example.org/?token={SECRET}"), "url"),
        (("port: 8420", f"port: {SECRET}"), "web.port"),
        (("port: 8420", f"tokens: [{{name: a, sha256: {SECRET}}}]"), "sha256"),
        (("web:\n", f"log:\n  token: [{SECRET}]\nweb:\n"), "log.token"),
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(
    change: tuple[str, str], place: str
) -> None:
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    found = mistakes(text)
    assert any(place in one for one in found), found
    assert SECRET not in "\n".join(found)


def test_every_field_can_be_set_from_the_environment() -> None:
    environment = {
        "STANDFAST_WEB_PORT": "9000",
        "STANDFAST_PLATFORM_NAME": "other",
        "STANDFAST_ALERTING_ESCALATION_REPEATS_MAX": "2",
        "STANDFAST_ALERTING_RECEIVERS": '["ops"]',
        "STANDFAST_STATE_DIR": "/tmp/elsewhere",
        "STANDFAST_RECOVERY": '{"mode": "automatic"}',
        "OTHER": "is not ours",
    }
    configuration = load(GOOD, environment).configuration
    assert configuration.web.port == 9000
    assert configuration.platform.name == "other"
    assert configuration.alerting.escalation.repeats_max == 2
    assert configuration.alerting.escalation.wait_seconds == 60
    assert configuration.recovery.mode == "automatic"
    assert configuration.state_dir == Path("/tmp/elsewhere")


def test_a_variable_that_is_no_field_is_named_with_the_nearest() -> None:
    (mistake,) = mistakes(GOOD, {"STANDFAST_WEB_PROT": "1"})
    assert (
        mistake == "STANDFAST_WEB_PROT: there is no such field; the nearest is STANDFAST_WEB_PORT"
    )


def test_a_bad_value_of_a_variable_is_named() -> None:
    assert any(
        one.startswith("STANDFAST_WEB_PORT:")
        for one in mistakes(GOOD, {"STANDFAST_WEB_PORT": "high"})
    )
    assert any(one.startswith("STANDFAST_WEB:") for one in mistakes(GOOD, {"STANDFAST_WEB": "[1"}))


def test_no_two_fields_share_a_variable() -> None:
    names = [name for _, name in variables(Configuration)]
    assert len(names) == len(set(names)) > 20


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"can't be read: No such file"):
        load_file(tmp_path / "none.yaml", {})
    with pytest.raises(InvalidConfigurationError, match="can't be read"):
        load_file(tmp_path, {})


def test_what_would_expand_without_end_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for level in range(1, 10):
        before, name = chr(96 + level), chr(97 + level)
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    assert any("too" in one or "no such key" in one for one in mistakes(bomb))
    assert mistakes("a: &a [*a]\n")
    assert mistakes("[" * 1000)
    assert mistakes("- " * 200 + "x")
    assert mistakes(b"x: " + b"y" * (9 * 1024 * 1024))


def mutated(chance: random.Random) -> bytes:
    """Give a good file after a few accidents, or something that was never one."""
    content = bytearray(GOOD.encode())
    for _ in range(chance.randint(1, 6)):
        content = content or bytearray(b"x")
        place = chance.randrange(len(content))
        match chance.randrange(6):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                del content[place : place + chance.randint(1, 30)]
            case 2:
                content[place:place] = chance.choice(
                    [b"{", b"]", b": ", b"\n- ", b"&a ", b"*a", b"!!set ", b"\x00", b"\xff", b'"']
                )
            case 3:
                words = chance.choice(TOKENS)
                content[place:place] = words
            case 4:
                other = chance.randrange(len(content))
                content[place:place] = content[other : other + 40]
            case _:
                content = content[:place] or bytearray(b"\n")
    return bytes(content)


TOKENS = (
    b"null",
    b"~",
    b".inf",
    b".nan",
    b"1e400",
    b"0x7f",
    b"99999999999999999999999",
    b"2026-11-25",
    b"2026-99-99T99:99:99Z",
    b"!!python/object:os.system x",
    b"!!binary aGk=",
    b"!!float x",
    b"!!int x",
    b"!!timestamp x",
    b"? [a, b]\n: c\n",
    b"<<: *x\n",
    b"<<: [1]\n",
    b"%YAML 9.9\n---\n",
    b"---\na: 1\n---\nb: 2\n",
    b"|\n  text\n",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\t",
)


def noise(chance: random.Random) -> bytes:
    """Give tokens of YAML in any order, or any bytes."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(0, 200))
    return b"".join(
        chance.choice([*TOKENS, b"services:", b" web:\n", b"\n", b"  ", b"- ", b"[", b"}", b"x: "])
        for _ in range(chance.randint(1, 25))
    )


def test_a_thousand_malformed_files_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    chance, refused, tried = random.Random(20261125), 0, 0
    while refused < 1000:
        tried += 1
        content = mutated(chance) if tried % 2 else noise(chance)
        found = refusal(content)
        if found is not None:
            refused += 1
            assert all(mistake.message for mistake in found.mistakes)
            assert str(found)
        assert tried < 5000


def refusal(content: bytes) -> InvalidConfigurationError | None:
    """Give why a file is refused; any other error than that ends the test."""
    try:
        load(content)
    except InvalidConfigurationError as error:
        return error
    return None


def test_the_sample_configuration_is_a_good_one() -> None:
    configuration = load_file(
        Path(__file__).parents[2] / "docs" / "standfast.sample.yaml"
    ).configuration
    assert configuration.watchdog.dead_man_url == "env:DEAD_MAN_URL"


def test_a_dead_man_url_is_a_reference() -> None:
    (mistake,) = mistakes(GOOD + "watchdog: {dead_man_url: 'https://example.org/ping/1'}\n")
    assert "env:NAME" in mistake
    assert "ping" not in mistake
