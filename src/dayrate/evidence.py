"""Where every number comes from, and how it was derived.

A `Ledger` is the working of one quote: facts (a value with its source) and derived
lines (a formula over earlier lines). The grade of a derived line is that of its weakest
input, so a total that rests on one assumption says "assumed".
"""

import ast
import enum
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = [
    "Estimate",
    "Grade",
    "Ledger",
    "Line",
    "Source",
    "format_value",
    "formula_names",
]


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

    def substituted(self, lines: Mapping[str, "Line"]) -> str:
        """Write the formula with the values of its inputs in place of their names."""
        tree = _Substitute(lines).visit(ast.parse(self.formula, mode="eval"))
        return ast.unparse(tree).replace("'", "")

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


class _Substitute(ast.NodeTransformer):
    """Replaces dotted names by the text of their values."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self.lines = lines

    def _value(self, node: ast.expr) -> ast.expr:
        line = self.lines.get(ast.unparse(node))
        return node if line is None else ast.Constant(format_value(line.value))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self._value(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._value(node)


def format_value(value: float | str | None) -> str:
    """Write a number with up to six significant digits, thousands separated.

    >>> format_value(577500000.0), format_value(0.0017652), format_value(None)
    ('577,500,000', '0.0017652', 'unknown')
    """
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.6g}"
    if abs(value) >= 1e5 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.6g}"


@functools.cache
def formula_names(formula: str) -> tuple[str, ...]:
    """Dotted names that a formula uses, functions excluded.

    >>> formula_names("a.x * max(b, 2) / a.x")
    ('a.x', 'b', 'a.x')
    """
    if not formula:
        return ()
    return tuple(_names(ast.parse(formula, mode="eval").body))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute | ast.Name):
        yield ast.unparse(node)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _names(argument)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)
