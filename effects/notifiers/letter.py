"""A letter: one notice to one receiver, with all that any notifier needs to tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from effects.notifiers.story import Story

Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said to whom. `key` is the same however often it is tried; `fence` only rises."""

    receiver: str
    status: Status
    level: int
    story: Story
    key: str
    fence: int
    external_url: str = ""
