"""What the checker found, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from scenarios.checker.invariant import Invariant, Violation
    from scenarios.checker.records import Injected
    from scenarios.checker.run_file import Pace

SHOWN_MAX = 20


class UnknownClaimError(LookupError):
    """No invariant claims this; the message lists what is claimed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One claim of an invariant: how often it was exercised, and whether it had to be."""

    claim: str
    exercised: int
    must_be_exercised: bool

    @property
    def is_missing(self) -> bool:
        """Say whether it never was, though it had to be."""
        return self.must_be_exercised and not self.exercised


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: how often each of its claims was exercised, and what broke it."""

    invariant: str
    claims: tuple[Tried, ...]
    violation_count: int
    violations: tuple[Violation, ...]

    @property
    def exercised(self) -> int:
        """How often it was exercised, by all of its claims."""
        return sum(one.exercised for one in self.claims)

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the claims that were never exercised and had to be."""
        return tuple(one.claim for one in self.claims if one.is_missing)

    @property
    def holds(self) -> bool:
        """Say whether nothing broke it, and all that had to be tried was."""
        return not self.violation_count and not self.missing


@dataclass(frozen=True, slots=True)
class Report:
    """All five, with the faults that were injected meanwhile.

    `problems` say what is wrong with the run itself, so that it proves nothing; `left_out` which
    faults could not be done where it ran: of these it says nothing.
    """

    seed: int | None
    commits: int
    faults: tuple[Injected, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()
    build: str = ""
    pace: Pace | None = None
    left_out: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Injected, ...]:
        """Give the faults that did anything."""
        return tuple(one for one in self.faults if one.effect)

    @property
    def is_clean(self) -> bool:
        """Say whether all invariants hold, in a run that was as it was meant to be."""
        return not self.problems and all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give the report for programs."""
        return {
            "clean": self.is_clean,
            "seed": self.seed,
            "build": self.build,
            "commits": self.commits,
            "pace": self._pace_as_json(),
            "faults": [_fault_as_json(one) for one in self.done],
            "without_effect": [_fault_as_json(one) for one in self.faults if not one.effect],
            "left_out": list(self.left_out),
            "problems": list(self.problems),
            "invariants": [
                {**asdict(finding), "exercised": finding.exercised} for finding in self.findings
            ],
        }

    def _pace_as_json(self) -> dict[str, float] | None:
        if self.pace is None:
            return None
        return {**structs.asdict(self.pace), "per_second": round(self.pace.per_second, 1)}

    def lines(self) -> Iterator[str]:
        """Give the report in lines."""
        for one in self.faults:
            effect = "" if one.effect else ", without effect"
            flying = f"{one.in_flight} commands in flight{effect}"
            yield f"{one.number:5d}  {one.fault} {one.target}: {flying}"
        yield from self.summary()

    def summary(self) -> Iterator[str]:
        """Give the report in lines, without the faults."""
        seed = "" if self.seed is None else f"seed {self.seed}, "
        build = f", build {self.build}" if self.build else ""
        idle = len(self.faults) - len(self.done)
        beside = f" and {idle} without effect" if idle else ""
        yield f"{seed}{len(self.done)} faults{beside}, {self.commits} commits{build}"
        if self.pace is not None:
            sent = f"{self.pace.invoked} commands in {self.pace.seconds:.0f} s"
            each = f"{self.pace.per_second:.1f} of {self.pace.asked_per_second:g} a second"
            yield f"{sent}, {each}, {self.pace.skipped} skipped"
        yield from (f"left out: {one}" for one in self.left_out)
        for finding in self.findings:
            yield from _lines_of(finding)
        yield from self.problems
        yield "clean" if self.is_clean else "NOT clean"


def _fault_as_json(fault: Injected) -> dict[str, Any]:
    names = ("number", "fault", "target", "in_flight", "effect")
    return {name: getattr(fault, name) for name in names}


def _lines_of(finding: Finding) -> Iterator[str]:
    verdict = "holds" if finding.holds else "BROKEN"
    if not finding.violation_count and finding.missing:
        verdict = "NEVER EXERCISED"
    counted = f"exercised {finding.exercised} times, {finding.violation_count} violations"
    yield f"{finding.invariant:13s} {verdict}: {counted}"
    yield f"    {', '.join(map(_words_of, finding.claims))}"
    for one in finding.violations[:SHOWN_MAX]:
        place = f" at {one.sequence}" if one.sequence else ""
        yield f"    {one.where}{place}: {one.what}"
    if finding.violation_count > SHOWN_MAX:
        yield f"    and {finding.violation_count - SHOWN_MAX} more"


def _words_of(tried: Tried) -> str:
    return f"{tried.claim} NEVER" if tried.is_missing else f"{tried.claim} {tried.exercised}"


def findings_of(
    invariants: Sequence[Invariant], must_exercise: Collection[str] | None = None
) -> tuple[Finding, ...]:
    """Give what each invariant found.

    `must_exercise` names claims in full (`history: chain`) that must have been exercised; None is
    all of them. Raises `UnknownClaimError`.
    """
    if unknown := set(must_exercise or ()) - set(claims_of(invariants)):
        known = ", ".join(claims_of(invariants))
        raise UnknownClaimError(f"nothing claims {', '.join(sorted(unknown))}; claims are {known}")
    return tuple(_finding(one, must_exercise) for one in invariants)


def claims_of(invariants: Iterable[Invariant]) -> dict[str, int]:
    """Give for each claim, by its full name, how often it was exercised."""
    return {
        full_name(one, claim): one.exercised[claim] for one in invariants for claim in one.claims
    }


def full_name(invariant: Invariant, claim: str) -> str:
    """Give the name by which a run asks for a claim."""
    return f"{invariant.name}: {claim}"


def _finding(invariant: Invariant, must_exercise: Collection[str] | None) -> Finding:
    return Finding(
        invariant=invariant.name,
        claims=tuple(
            Tried(
                claim,
                invariant.exercised[claim],
                must_exercise is None or full_name(invariant, claim) in must_exercise,
            )
            for claim in invariant.claims
        ),
        violation_count=invariant.violation_count,
        violations=tuple(invariant.violations),
    )
