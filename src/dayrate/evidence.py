"""Where every number comes from, and how it was derived.

A `Ledger` is the working of one quote: facts (a value with its source) and derived
lines (a formula over earlier lines). The grade of a derived line is that of its weakest
input, so a total that rests on one assumption says "assumed".
"""

import ast
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Estimate", "Grade", "Ledger", "Line", "Source"]


class Grade(enum.IntEnum):
    """How much a number can be trusted, best first."""

    GIVEN = 0  # the user said so
    MEASURED = 1
    FITTED = 2
    CITED = 3  # a data sheet, a price list, a publication
    ASSUMED = 4

    @property
    def label(self) -> str:
        """Lower-case name, as printed."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure was read, and when."""

    title: str
    href: str = ""
    date: str = ""  # of the figure; ISO 8601, may be a year
    checked: str = ""  # when it was last read

    def __str__(self) -> str:
        return f"{self.title} ({self.date})" if self.date else self.title


@dataclass(frozen=True, slots=True)
class Estimate:
    """A catalogued figure with its range; units are SI and stated by the owner."""

    low: float
    mid: float
    high: float
    grade: Grade
    source: Source

    def __post_init__(self) -> None:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"{self.low} <= {self.mid} <= {self.high} does not hold")


@dataclass(frozen=True, slots=True)
class Line:
    """One number of a quote: a fact when ``formula`` is empty, else derived.

    ``formula`` is Python arithmetic over the names of earlier lines with dots written
    as they are (``serving.requests_per_day * workload.input_tokens_per_request``);
    evaluating it on their values gives ``value``, which a test holds.
    """

    name: str
    value: float | str | None  # None: unknown
    unit: str
    grade: Grade
    source: str = ""
    formula: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the lines the formula uses, in order of appearance."""
        return tuple(dict.fromkeys(formula_names(self.formula)))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ordered working of a result; every method returns a new ledger."""

    lines: Mapping[str, Line] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines.values())

    def __getitem__(self, name: str) -> Line:
        return self.lines[name]

    def __contains__(self, name: object) -> bool:
        return name in self.lines

    def with_line(self, line: Line) -> "Ledger":
        """Append a line; a name may be written once."""
        if line.name in self.lines:
            raise ValueError(f"{line.name} is already in the ledger")
        return Ledger({**self.lines, line.name: line})

    def fact(
        self,
        name: str,
        value: float | str | None,
        unit: str,
        *,
        grade: Grade,
        source: str,
    ) -> "Ledger":
        """Append a number that comes from outside."""
        return self.with_line(Line(name, value, unit, grade, source))

    def derive(
        self, name: str, value: float | None, unit: str, *, formula: str, why: str = ""
    ) -> "Ledger":
        """Append a number computed from earlier lines, graded by the weakest."""
        grade = max(
            (self.lines[n].grade for n in formula_names(formula)),
            default=Grade.ASSUMED,
        )
        return self.with_line(Line(name, value, unit, grade, why, formula))

    def update(self, other: "Ledger") -> "Ledger":
        """Append all lines of another ledger."""
        clash = self.lines.keys() & other.lines.keys()
        if clash:
            raise ValueError(f"already in the ledger: {', '.join(sorted(clash))}")
        return Ledger({**self.lines, **other.lines})

    @property
    def weakest(self) -> Grade:
        """Grade of the least trustworthy line."""
        return max((line.grade for line in self), default=Grade.GIVEN)


def formula_names(formula: str) -> Iterator[str]:
    """Dotted names that a formula uses, functions excluded.

    >>> list(formula_names("a.x * max(b, 2) / a.x"))
    ['a.x', 'b', 'a.x']
    """
    if not formula:
        return
    yield from _names(ast.parse(formula, mode="eval").body)


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute | ast.Name):
        yield ast.unparse(node)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _names(argument)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)
