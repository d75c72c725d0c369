"""Hypothesis strategies that draw any command of a decider from its annotations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ValidationError

from actors.base import Command, Decider, Tick

EPOCH = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
WORDS = ("a", "b", "", "firing", "ü" * 3)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(WORDS),
    int: st.integers(0, 4),
    float: st.sampled_from([0.0, 0.5, 1.0, 60.0]),
    bool: st.booleans(),
    type(None): st.none(),
    AwareDatetime: st.integers(-100, 100).map(lambda s: EPOCH + timedelta(seconds=s)),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Draw what an annotation allows; constraints are left to validation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    return SIMPLE[annotation]


def models(model: type[Any]) -> st.SearchStrategy[Any]:
    """Draw valid instances of a model; fields with a default are sometimes left out."""
    required: dict[Any, st.SearchStrategy[Any]] = {}
    optional: dict[Any, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        fields = required if field.is_required() else optional
        fields[name] = values(field.annotation)
    drawn = st.fixed_dictionaries(required, optional=optional)
    return drawn.map(lambda given: _validated(model, given)).filter(lambda one: one is not None)


def _validated(model: type[Any], given: dict[str, Any]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError:
        return None


def commands(decider: Decider[Any]) -> st.SearchStrategy[Command]:
    """Draw any command of a decider, or a tick."""
    return st.one_of(st.just(Tick()), *[models(command) for command in decider.commands])


def histories(decider: Decider[Any]) -> st.SearchStrategy[list[tuple[float, Command]]]:
    """Draw commands with the seconds that pass before each; some come more than once."""
    seconds = st.sampled_from([0.0, 0.0, 0.5, 3.0, 20.0, 4000.0])
    return st.lists(st.tuples(seconds, commands(decider)), max_size=25)
