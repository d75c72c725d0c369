"""Reading the file: every mistake is named with its line, and the nearest key that is valid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from standfast.config.environment import PREFIX, overrides
from standfast.config.misplaced import MisplacedErrors
from standfast.config.model import Configuration
from standfast.config.shape import model_at

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {
    "model_type": "keys and values are wanted here",
    "dict_type": "keys and values are wanted here",
    "tuple_type": "a list is wanted here",
    "too_short": "at least one is wanted here",
    "missing": "this key is missing",
}
"""Pydantic's words where a person would not understand them."""

BYTES_MAX = 8 * 1024 * 1024
DEPTH_MAX = 30
NODES_MAX = 1_000_000
"""An alias in YAML is cheap to write and dear to expand."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a configuration, and where: a line of the file, or 0 for none."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.path + ': ' if self.path else ''}{self.message}"


class InvalidConfigurationError(Exception):
    """The configuration can't be used; `mistakes` says why, all of them at once."""

    def __init__(self, source: str, mistakes: list[Mistake]) -> None:
        """Keep the mistakes, in the order of the file."""
        self.source = source
        self.mistakes = sorted(mistakes, key=lambda one: (one.line, one.path))
        super().__init__("\n".join(f"{source}: {mistake}" for mistake in self.mistakes))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and the digest of the text it came from."""

    configuration: Configuration
    digest: str
    source: str


def load_file(path: Path, environment: Mapping[str, str] = os.environ) -> Loaded:
    """Read a configuration file. Raises `InvalidConfigurationError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"it can't be read: {error.strerror}"
        raise InvalidConfigurationError(str(path), [Mistake(0, "", reason)]) from error
    return load_text(content, str(path), environment)


def load_text(content: bytes, source: str, environment: Mapping[str, str] = os.environ) -> Loaded:
    """Read a configuration from bytes of YAML. Raises `InvalidConfigurationError`."""
    tree = _parse(content, source)
    return load_tree(tree, source, environment, sha256(content).hexdigest())


def load_tree(
    tree: Any, source: str, environment: Mapping[str, str] = os.environ, digest: str = ""
) -> Loaded:
    """Check a configuration that is parsed already. Raises `InvalidConfigurationError`."""
    values, mistakes = overrides(Configuration, environment)
    found = [Mistake(0, name, message) for name, message in mistakes]
    if found:
        raise InvalidConfigurationError("environment", found)
    try:
        plain = _Plainer(source).plain(tree)
        configuration = Configuration.model_validate(_merge(plain, values))
    except ValidationError as error:
        details = [dict(one) for one in error.errors(include_url=False, include_input=False)]
        mistakes_found = [
            _named(mistake, environment)
            for one in details
            if not _follows(one, details)
            for mistake in _mistakes(one, tree)
        ]
        raise InvalidConfigurationError(source, mistakes_found) from error
    return Loaded(configuration, digest or _digest(configuration), source)


def _digest(configuration: Configuration) -> str:
    return sha256(configuration.model_dump_json().encode()).hexdigest()


def _parse(content: bytes, source: str) -> Any:
    if len(content) > BYTES_MAX:
        reason = f"it has {len(content)} bytes; {BYTES_MAX} are allowed"
        raise InvalidConfigurationError(source, [Mistake(0, "", reason)])
    try:
        return YAML(typ="rt", pure=True).load(StringIO(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidConfigurationError(source, [Mistake(line, "", "it is not UTF-8")]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else mark.line + 1
        reason = f"it is not YAML: {error.problem or error.context}"
        raise InvalidConfigurationError(source, [Mistake(line, "", reason)]) from error
    except Exception as error:
        reason = f"it is not YAML: {str(error).splitlines()[0] if str(error) else error!r}"
        raise InvalidConfigurationError(source, [Mistake(0, "", reason)]) from error


@dataclass(slots=True)
class _Plainer:
    """Turns the parser's own types into plain ones, as many as a configuration may hold."""

    source: str
    nodes: int = 0

    def plain(self, tree: Any, depth: int = 0) -> Any:
        self.nodes += 1
        if depth > DEPTH_MAX or self.nodes > NODES_MAX:
            what = f"nested deeper than {DEPTH_MAX}" if depth > DEPTH_MAX else "too large"
            raise InvalidConfigurationError(self.source, [Mistake(0, "", f"it is {what}")])
        if tree is None and depth == 0:
            return {}
        if isinstance(tree, dict):
            return {str(key): self.plain(value, depth + 1) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self.plain(value, depth + 1) for value in tree]
        return tree


def _merge(tree: Any, values: dict[str, Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    merged = dict(tree)
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _follows(detail: dict[str, Any], details: list[dict[str, Any]]) -> bool:
    """Say whether a list only seems too short because its items have mistakes of their own."""
    place = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in details
    )


def _named(mistake: Mistake, environment: Mapping[str, str]) -> Mistake:
    """Name the variable where a value came from the environment."""
    variable = PREFIX + mistake.path.replace(".", "_").upper()
    return Mistake(0, variable, mistake.message) if variable in environment else mistake


def _mistakes(detail: dict[str, Any], tree: Any) -> list[Mistake]:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, MisplacedErrors):
        return [_at(list(one.path), str(one), tree) for one in error.errors]
    return [_mistake(detail, tree)]


def _mistake(detail: dict[str, Any], tree: Any) -> Mistake:
    path, message = list(detail["loc"]), str(detail["msg"]).removeprefix("Value error, ")
    context = detail.get("ctx", {})
    message = _WORDS.get(detail["type"], message)
    if detail["type"] == "union_tag_invalid":
        path.append(str(context["discriminator"]).strip("'"))
        message = f"it must be one of {context['expected_tags']}"
    if detail["type"] == "extra_forbidden":
        message = f"there is no such key{_nearest(path)}"
    return _at(path, message, tree)


def _at(path: list[Any], message: str, tree: Any) -> Mistake:
    line, known = _locate(tree, path)
    return Mistake(line, ".".join(str(part) for part in known or path), message)


def _locate(tree: Any, path: list[Any]) -> tuple[int, list[Any]]:
    """Give the line of the deepest part of a path that is in the file, and the path to it."""
    line, known, node = 0, [], tree
    for place, part in enumerate(path):
        places = getattr(getattr(node, "lc", None), "data", None) or {}
        if (isinstance(node, dict) and part in node) or _is_index(node, part):
            line = places[part][0] + 1 if part in places else line
            node = node[part]
            known.append(part)
        elif not _is_tag(node, part):
            known.extend(path[place:])
            break
    return line, known


def _is_index(node: Any, part: Any) -> bool:
    return isinstance(node, list) and isinstance(part, int) and part < len(node)


def _is_tag(node: Any, part: Any) -> bool:
    """Pydantic names the member of a union in the path; the file does not."""
    return isinstance(node, dict) and part in (node.get("kind"), node.get("type"))


def _nearest(path: list[Any]) -> str:
    fields = _fields_at(path[:-1])
    near = get_close_matches(str(path[-1]), fields, n=1, cutoff=0.5)
    if near:
        return f"; the nearest is {near[0]!r}"
    return f"; valid are: {', '.join(fields)}" if fields else ""


def _fields_at(path: list[Any]) -> list[str]:
    model: type[BaseModel] | None = model_at(Configuration, path)
    return [] if model is None else sorted(model.model_fields)
