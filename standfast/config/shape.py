"""The shape of the configuration: which model a path leads to."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


def model_at(root: type[BaseModel], path: list[Any]) -> type[BaseModel] | None:
    """Give the model at a path of keys, indexes and union tags, or None."""
    annotation: Any = root
    for part in path:
        annotation = _step(annotation, part)
    return next(iter(_models(annotation)), None)


def _step(annotation: Any, part: Any) -> Any:
    for model in _models(annotation):
        if part in model.model_fields:
            return model.model_fields[part].annotation
    for model in _models(annotation):
        if _tag_of(model) == part:
            return model
    return _inner(annotation)


def _tag_of(model: type[BaseModel]) -> Any:
    for name in ("kind", "type"):
        field = model.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is Literal:
            return get_args(field.annotation)[0]
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        return _models(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _inner(annotation: Any) -> Any:
    """Give what a mapping or a sequence holds."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inner(parts[0])
    if origin in (Union, UnionType):
        return next((_inner(part) for part in parts if get_args(part)), None)
    if origin is dict:
        return parts[1]
    return parts[0] if parts else None
