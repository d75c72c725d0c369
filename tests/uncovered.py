"""Processes whose lines are not counted: what takes most of a core would take three times that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.coverage_flush import CHILD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping


def uncovered(environment: Mapping[str, str]) -> dict[str, str]:
    """Give an environment without what has the lines of a process counted."""
    return {name: value for name, value in environment.items() if name != CHILD_VARIABLE}
