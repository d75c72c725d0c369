"""What people read: a title and a body that say what is wrong, since when, and whether again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effects.notifiers.payload import moment

if TYPE_CHECKING:
    from effects.notifiers.letter import Letter

TITLE_CHARACTERS_MAX = 200
BODY_CHARACTERS_MAX = 4000


def title_of(letter: Letter) -> str:
    """Give one line: what is said, and of what."""
    labels = letter.story.labels
    what = labels.get("alertname") or letter.story.alert.id
    whose = labels.get("service", "")
    name = f"{what}: {whose}" if whose else what
    return f"[{_word(letter)}] {name}"[:TITLE_CHARACTERS_MAX]


def body_of(letter: Letter) -> str:
    """Give some lines: the summary, the times, where to look."""
    story = letter.story
    lines = [
        story.annotations.get("summary", ""),
        story.annotations.get("description", ""),
        *_times(letter),
        f"Severity: {story.labels['severity']}" if "severity" in story.labels else "",
        f"Incident: {story.incident}" if story.incident else "",
        _told_again(letter),
        letter.external_url,
    ]
    return "\n".join(line for line in lines if line)[:BODY_CHARACTERS_MAX]


def _word(letter: Letter) -> str:
    if letter.status == "resolved":
        return "RESOLVED"
    return f"FIRING, told again ({letter.level})" if letter.level else "FIRING"


def _times(letter: Letter) -> list[str]:
    story = letter.story
    lines = [f"Since: {moment(story.started)}"]
    if letter.status == "resolved" and story.ended is not None:
        lasted_seconds = max(0.0, (story.ended - story.started).total_seconds())
        lines.append(f"Resolved: {moment(story.ended)}, after {lasted_seconds:.0f} s")
    return lines


def _told_again(letter: Letter) -> str:
    if letter.status == "resolved" or not letter.level:
        return ""
    return f"Nobody has acknowledged it; it is told for the {letter.level + 1}. time."
