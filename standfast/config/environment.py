"""Overrides: `STANDFAST_` and the path of a field in capitals, as in `STANDFAST_WEB_PORT`."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from standfast.config.shape import model_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

PREFIX = "STANDFAST_"
OTHERS = frozenset(
    {"STANDFAST_TEST_DATA", "STANDFAST_SKIPS_ARE_FAILURES", "STANDFAST_CONFIG", "STANDFAST_TOKEN"}
)
"""Variables that are not fields: of the tests, and of the command line."""


def overrides(
    root: type[BaseModel], environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Give the tree of values that the environment sets, and (variable, mistake) pairs."""
    fields = {variable: path for path, variable in variables(root)}
    tree: dict[str, Any] = {}
    mistakes: list[tuple[str, str]] = []
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in fields:
            near = get_close_matches(name, fields, n=1, cutoff=0.5)
            hint = f"; the nearest is {near[0]}" if near else ""
            mistakes.append((name, f"there is no such field{hint}"))
            continue
        _place(tree, fields[name], _value(text))
    return tree, mistakes


def variables(root: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each field's path and the variable that sets it; groups as JSON, too."""
    yield from _walk(root, ())


def _walk(root: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    model = model_at(root, list(path))
    for name in model.model_fields if model is not None else ():
        inner = (*path, name)
        yield inner, PREFIX + "_".join(inner).upper()
        if model_at(root, list(inner)) is not None:
            yield from _walk(root, inner)


def _value(text: str) -> Any:
    """Read JSON where the text is a list or an object; all else is checked as text."""
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _place(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
