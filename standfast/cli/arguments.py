"""Arguments as people write them: moments, kinds and addresses, refused with what is valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from actors.deciders import KINDS
from events.address import EntityAddress, InvalidAddressError
from events.subjects import state_filter, state_subject
from projections.moments import BadMomentError, parse_moment
from standfast.cli.terminal import EXIT_USAGE, fail

if TYPE_CHECKING:
    from collections.abc import Iterable

MOMENTS = "ISO 8601 as in 2026-11-25T12:00:00Z, `now`, or how long ago: 90s, -10m, 2h, 1d"

KindOption = Annotated[
    str, typer.Option("--kind", help=f"Only entities of this kind: {', '.join(sorted(KINDS))}.")
]
IdOption = Annotated[str, typer.Option("--id", help="Only the entity of this id, as in demo-app.")]


@dataclass(frozen=True, slots=True)
class Which:
    """Which entities are asked for: of a kind, of an id, both, or all."""

    kind: str = ""
    id: str = ""

    @classmethod
    def read(cls, kind: str, entity_id: str) -> Which:
        """Check both; a wrong one ends the command."""
        if kind and kind not in KINDS:
            fail(f"there is no kind {kind!r}{nearest(kind, KINDS)}", EXIT_USAGE)
        if entity_id:
            checked_address(f"{kind or 'service'}/{entity_id}")
        return cls(kind, entity_id)

    @property
    def address(self) -> EntityAddress | None:
        """The one entity, where kind and id are given."""
        return EntityAddress(self.kind, self.id) if self.kind and self.id else None

    @property
    def filters(self) -> list[str]:
        """The subjects of their commits."""
        if self.address is not None:
            return [state_subject(self.address)]
        if self.id:
            one = EntityAddress("any", self.id)
            return [f"sf.*.{one.bucket:02x}.{one.token}"]
        return [state_filter(self.kind)] if self.kind else ["sf.>"]


def moment_of(option: str, text: str, now: datetime | None = None) -> datetime:
    """Read a moment; a wrong one ends the command."""
    now = now or datetime.now(UTC)
    shown = text.strip()
    if shown.lower() == "now":
        return now
    try:
        return parse_moment(shown.removesuffix("ago").strip().removeprefix("-"), now)
    except BadMomentError:
        fail(f"{option} {shown[:60]!r} is not a moment; valid is {MOMENTS}", EXIT_USAGE)


def optional_moment(option: str, text: str) -> datetime | None:
    """Read a moment where one is given."""
    return moment_of(option, text) if text else None


def checked_address(text: str) -> EntityAddress:
    """Read an address; a wrong one ends the command."""
    try:
        return EntityAddress.parse(text)
    except InvalidAddressError as error:
        fail(str(error)[:300], EXIT_USAGE)


def known_address(text: str) -> EntityAddress:
    """Read an address of a kind that there is; a wrong one ends the command."""
    address = checked_address(text)
    if address.kind not in KINDS:
        fail(f"there is no kind {address.kind!r}{nearest(address.kind, KINDS)}", EXIT_USAGE)
    return address


def finite(number: float) -> float:
    """Take an option that is a number; what is none (`nan`, `inf`) is a mistake of usage."""
    if not isfinite(number):
        raise typer.BadParameter(f"{number} is not a number")
    return number


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known words a wrong one may have meant."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"
