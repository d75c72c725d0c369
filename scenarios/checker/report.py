"""What the checker found, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scenarios.checker.invariant import Invariant, Violation
    from scenarios.checker.records import Injected

SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: how often it was exercised, and what broke it."""

    invariant: str
    exercised: int
    must_be_exercised: bool
    violation_count: int
    violations: tuple[Violation, ...]

    @property
    def holds(self) -> bool:
        """Say whether nothing broke it, and it was tried at all where it had to be."""
        return not self.violation_count and bool(self.exercised or not self.must_be_exercised)


@dataclass(frozen=True, slots=True)
class Report:
    """All five, with the faults that were injected meanwhile."""

    seed: int | None
    commits: int
    faults: tuple[Injected, ...]
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Say whether all invariants hold."""
        return all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give the report for programs."""
        return {
            "clean": self.is_clean,
            "seed": self.seed,
            "commits": self.commits,
            "faults": [
                {
                    "number": one.number,
                    "fault": one.fault,
                    "target": one.target,
                    "in_flight": one.in_flight,
                }
                for one in self.faults
            ],
            "invariants": [asdict(finding) for finding in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """Give the report in lines."""
        for one in self.faults:
            yield f"{one.number:5d}  {one.fault} {one.target}: {one.in_flight} commands in flight"
        seed = "" if self.seed is None else f"seed {self.seed}, "
        yield f"{seed}{len(self.faults)} faults, {self.commits} commits"
        for finding in self.findings:
            yield from _lines_of(finding)
        yield "clean" if self.is_clean else "NOT clean"


def _lines_of(finding: Finding) -> Iterator[str]:
    verdict = "holds" if finding.holds else "BROKEN"
    if not finding.violation_count and not finding.holds:
        verdict = "NEVER EXERCISED"
    counted = f"exercised {finding.exercised} times, {finding.violation_count} violations"
    yield f"{finding.invariant:13s} {verdict}: {counted}"
    for one in finding.violations[:SHOWN_MAX]:
        place = f" at {one.sequence}" if one.sequence else ""
        yield f"    {one.where}{place}: {one.what}"
    if finding.violation_count > SHOWN_MAX:
        yield f"    and {finding.violation_count - SHOWN_MAX} more"


def findings_of(
    invariants: Iterable[Invariant], must_exercise: tuple[str, ...] | None = None
) -> tuple[Finding, ...]:
    """Give what each invariant found; where nothing is said, all must have been exercised."""
    return tuple(
        Finding(
            invariant=one.name,
            exercised=one.exercised,
            must_be_exercised=must_exercise is None or one.name in must_exercise,
            violation_count=one.violation_count,
            violations=tuple(one.violations),
        )
        for one in invariants
    )
