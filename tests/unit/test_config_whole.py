"""What the parts of a configuration allow and the whole does not; and what goes without saying."""

from __future__ import annotations

from tests.unit.test_config import GOOD, load, mistakes


def test_what_standfast_starts_it_may_restart_unless_it_is_told_otherwise() -> None:
    silent = GOOD.replace("    recovery:\n      effect: process.restart\n", "")
    assert silent != GOOD
    services = load(silent).configuration.services
    assert services["db"].recovery is not None
    assert services["db"].recovery.effect == "process.restart"
    assert services["app"].recovery is None
    refused = GOOD.replace("    recovery:\n      effect: process.restart\n", "    recovery: null\n")
    assert load(refused).configuration.services["db"].recovery is None


def test_a_check_of_a_process_names_a_child_or_a_pid_file() -> None:
    nameless = GOOD.replace("kind: tcp\n        port: 5432", "kind: process")
    assert nameless != GOOD
    (found,) = mistakes(nameless)
    assert found.startswith("line 18: "), found
    assert "neither a child nor a pid_file" in found
    for key in ("child: db", "pid_file: /run/db.pid"):
        named = nameless.replace("kind: process\n", f"kind: process\n        {key}\n", 1)
        (check,) = load(named).configuration.services["db"].checks
        assert check.kind == "process"


def test_all_mistakes_of_the_whole_are_named_at_once() -> None:
    text = (
        GOOD.replace("kind: tcp\n        port: 5432", "kind: process")
        .replace("depends_on: [db]", "depends_on: [dbb]")
        .replace("receivers: [ops]", "receivers: [boss]")
        .replace("web:\n", "web:\n  address: 0.0.0.0\n")
    )
    words = ("neither a child", "'dbb'", "'boss'", "at least one token")
    found = mistakes(text)
    assert len(found) == len(words), found
    assert all(any(word in one for one in found) for word in words), found
