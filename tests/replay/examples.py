"""Deterministic values of every stored type: each field is set, each member of a union is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import AwareDatetime, BaseModel

from events.address import EntityAddress
from events.base import Event, Mark, Origin
from events.commit import Author, Commit, Head, encode_commit, fact_of
from events.telemetry import Batch, Vantage, encode_batch, labels_of, stale_marker

MOMENT = datetime(2026, 11, 25, 12, 34, 56, 789012, tzinfo=UTC)
SIMPLE: dict[Any, Any] = {
    str: "text",
    int: 7,
    float: 0.5,
    bool: True,
    AwareDatetime: MOMENT,
    type(None): None,
    Any: {"nested": [1, 2.5, "three", None, True]},
}


def example_event(event: type[Event]) -> Event:
    """Give an event of a type with every field set."""
    example: Event = _model(event)
    return example


def _model(model: type[Any]) -> Any:
    values = {
        name: _example(field.annotation, name)
        for name, field in model.model_fields.items()
        if field.annotation is not None
    }
    return model.model_validate(values)


def _example(annotation: Any, name: str) -> Any:
    """Give a value of an annotated type; of a union the first member that says most."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _example(arguments[0], name)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, UnionType):
        return _example(arguments[0], name)
    if origin is tuple:
        return tuple(_each(arguments[0], name))
    if origin is dict:
        return {f"key-{index}": value for index, value in enumerate(_each(arguments[1], name))}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    return SIMPLE[annotation] if annotation is not str else f"some {name}"


def _each(annotation: Any, name: str) -> list[Any]:
    """Give a value of each member of a union, or the one value there is."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return [_example(member, name) for member in get_args(annotation)]
    return [_example(annotation, name)]


def example_commit(event: Event) -> Commit:
    """Give a commit of two commands: the first says all about its origin, the second the least."""
    whole = Origin(
        command_id="0123456789abcdef0123456789abcdef",
        principal="person:ann",
        source="/standfast/web",
        time=MOMENT - timedelta(seconds=2),
        correlation_id="c0ffee",
        causation_id="cause.3",
        on_behalf_of="person:bob",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        mark=Mark("correlate", 9),
    )
    least = Origin("command", "process:evaluator", "/standfast/evaluator", MOMENT, "command")
    return Commit(
        id="01a210b0add1867dd3ee6df5de1a0ef8",
        entity=EntityAddress("service", "demo.app *ü/1"),
        previous=Head(41, bytes(range(32))),
        decided=MOMENT,
        author=Author("demo", "cell-1", "0.1.0+abc"),
        origins=(whole, least),
        facts=(fact_of(event, 0), fact_of(event, 1)),
    )


def example_bytes(stored_type: str) -> bytes:
    """Give the bytes of the example commit of a registered event type."""
    return encode_commit(example_commit(example_event(Event.registry[stored_type])))


def example_batch() -> Batch:
    """Give a telemetry batch with every column filled."""
    return Batch(
        vantage=Vantage("demo", "cell-1", "prober-1", "0.1.0+abc", lagged=True),
        start=MOMENT,
        labels=(labels_of("probe_success", service="db"), labels_of("latency", service="ü")),
        series=np.array([0, 1, 1], dtype=np.uint32),
        offsets=np.array([0, 250, -4], dtype=np.int32),
        values=np.array([1.0, 0.125, stale_marker()], dtype=np.float64),
        created={0: MOMENT},
        histograms={1: ((0.1, 0.5), (3, 4, 1))},
        exemplars={1: ((("trace_id", "abc"),), 0.125)},
        details={0: {"reason": "refused", "status": 503}},
    )


def example_batch_bytes() -> bytes:
    """Give the bytes of the example batch."""
    return encode_batch(example_batch())
