"""Published estimates, replayed: their facts, their arithmetic, their claims.

A source's own calculation ships as data (`data/scenarios/*.yaml`, section ``replay``).
Its steps are evaluated here, never stored, and each figure that was published is set
beside the one that the steps give.
"""

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dayrate.cost.breakdown import Cost
from dayrate.errors import InvalidInput, did_you_mean
from dayrate.evidence import Grade, Ledger, formula_names
from dayrate.scenario.result import ClaimCheck

__all__ = [
    "RESULTS",
    "Claim",
    "Fact",
    "Replay",
    "Replayed",
    "Step",
    "evaluate",
    "replay_from",
    "replayed",
]

#: What a replay may answer; one that is absent is unknown.
RESULTS = (
    "requests_per_day",
    "input_tokens_per_day",
    "cached_input_tokens_per_day",
    "output_tokens_per_day",
    "accelerators",
    "servers",
    "kwh_per_day",
    "wh_per_request",
    "mean_it_power_kw",
    "pue",
    "usd_per_request",
    "usd_per_1k_tokens",
    "usd_per_million_input_tokens",
    "usd_per_million_cached_input_tokens",
    "usd_per_million_output_tokens",
)

_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A number the source states or needs; ``value`` None: it does not say."""

    name: str
    value: float | None
    unit: str
    grade: Grade
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """Arithmetic over earlier names."""

    name: str
    formula: str
    unit: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A published figure, and the name of the step it should equal.

    ``factor`` is published over computed, stated where the source got it wrong.
    """

    name: str
    published: float
    unit: str
    computed: str
    rtol: float
    where: str
    holds: bool = True
    factor: float | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """One published calculation; ``result`` and ``cost_terms`` name its steps."""

    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...] = ()
    cost_terms: Mapping[str, str] = field(default_factory=dict)  # USD per day
    result: Mapping[str, str] = field(default_factory=dict)  # keys are of RESULTS
    verdict: Mapping[str, str] = field(default_factory=dict)  # by language


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a published calculation comes to; a result that is not there is unknown."""

    ledger: Ledger
    claims: tuple[ClaimCheck, ...]
    cost: Cost  # per day, without the terms that the source does not know
    result: Mapping[str, float]


def replay_from(data: Mapping[str, Any]) -> Replay:
    """Check the ``replay`` section of a scenario file and freeze it.

    Raises
    ------
    InvalidInput
        A key that is unknown or missing, or a value that is not a number.

    Examples
    --------
    >>> estimate = replay_from({
    ...     "facts": [
    ...         {"name": "gpus", "value": 28936, "unit": "1", "source": "S.",
    ...          "grade": "cited"},
    ...         {"name": "price", "value": 1, "unit": "USD/h", "source": "S.",
    ...          "grade": "assumed"}],
    ...     "steps": [{"name": "day", "formula": "gpus * 24 * price",
    ...                "unit": "USD/day"}]})
    >>> ledger, checks = evaluate(estimate)
    >>> ledger["day"].value, ledger["day"].grade.label
    (694464.0, 'assumed')
    """
    _only(data, ("facts", "steps", "claims", "result", "verdict"), "replay")
    _shaped(data)
    result = dict(data.get("result") or {})
    terms = result.pop("cost_terms_usd_per_day", None) or {}
    if not isinstance(terms, Mapping):
        raise InvalidInput(f"replay.result.cost_terms_usd_per_day is {terms!r}; {_MAP}")
    told = data.get("verdict") or {}  # by language; plain text is English
    _only(result, RESULTS, "replay.result")
    return Replay(
        facts=tuple(_fact(row) for row in data.get("facts") or ()),
        steps=tuple(_step(row) for row in data.get("steps") or ()),
        claims=tuple(_claim(row) for row in data.get("claims") or ()),
        cost_terms=terms,
        result=result,
        verdict={"en": told} if isinstance(told, str) else told,
    )


_MAP = "give a mapping of names."


def _shaped(data: Mapping[str, Any]) -> None:
    """Refuse parts of the wrong shape."""
    for key in ("facts", "steps", "claims"):
        rows = data.get(key) or ()
        if not isinstance(rows, list | tuple) or not all(
            isinstance(row, Mapping) for row in rows
        ):
            raise InvalidInput(f"replay.{key} is {rows!r}; give a list of mappings.")
    if not isinstance(data.get("result") or {}, Mapping):
        raise InvalidInput(f"replay.result is {data['result']!r}; {_MAP}")


def evaluate(replay: Replay) -> tuple[Ledger, tuple[ClaimCheck, ...]]:
    """Compute every step and set each published figure beside its own.

    A step over an unknown number is unknown.

    Raises
    ------
    InvalidInput
        A step or claim names a quantity that no earlier line holds, or a formula is
        not arithmetic.
    """
    ledger = Ledger()
    for fact in replay.facts:
        _new_name(fact.name, ledger)
        ledger = ledger.fact(
            fact.name, fact.value, fact.unit, grade=fact.grade, source=fact.source
        )
    for step in replay.steps:
        _new_name(step.name, ledger)
        ledger = ledger.derive(
            step.name,
            _computed(step, ledger),
            step.unit,
            formula=step.formula,
            why=step.why,
        )
    return ledger, tuple(_check(claim, ledger) for claim in replay.claims)


def replayed(replay: Replay) -> Replayed:
    """Evaluate a published calculation and collect what it answers.

    Raises
    ------
    InvalidInput
        As `evaluate`; or the result names a quantity that is not there.
    """
    ledger, claims = evaluate(replay)
    return Replayed(
        ledger=ledger,
        claims=claims,
        cost=Cost(_known(replay.cost_terms, ledger)),
        result=_known(replay.result, ledger),
    )


def _known(names: Mapping[str, str], ledger: Ledger) -> dict[str, float]:
    values = {key: _value(ledger, name, key) for key, name in names.items()}
    return {key: value for key, value in values.items() if value is not None}


def _computed(step: Step, ledger: Ledger) -> float | None:
    import simpleeval  # noqa: PLC0415 - slow, and only replays compute formulas

    names = _names(step)
    values = {name: _value(ledger, name, step.name) for name in names}
    if None in values.values():
        return None
    try:
        value = simpleeval.SimpleEval(functions=_FUNCTIONS, names=values).eval(
            step.formula
        )
        return _number(value, step.name)
    except (
        simpleeval.InvalidExpression,
        ArithmeticError,
        TypeError,
        ValueError,
    ) as error:
        raise InvalidInput(
            f"The formula of {step.name!r} is {step.formula!r}, which cannot be "
            f"computed: {error}. It may hold numbers, earlier names, + - * / ** and "
            f"{', '.join(_FUNCTIONS)}."
        ) from None


def _names(step: Step) -> tuple[str, ...]:
    try:
        ast.parse(step.formula, mode="eval")
    except SyntaxError:
        raise InvalidInput(
            f"The formula of {step.name!r} is {step.formula!r}, which is not "
            "arithmetic. Write it as in '24 * nodes * price'."
        ) from None
    return formula_names(step.formula)


def _check(claim: Claim, ledger: Ledger) -> ClaimCheck:
    computed = _value(ledger, claim.computed, claim.name)
    if computed is None:
        raise InvalidInput(
            f"The claim {claim.name!r} rests on {claim.computed!r}, which is unknown. "
            "Give the facts it needs, or drop the claim."
        )
    return ClaimCheck(
        name=claim.name,
        published=claim.published,
        computed=computed,
        unit=claim.unit,
        rtol=claim.rtol,
        expected=claim.holds,
        where=claim.where,
    )


def _value(ledger: Ledger, name: str, user: str) -> float | None:
    if name not in ledger:
        close = did_you_mean(name, ledger.lines)
        hint = f"Did you mean {close}?" if close else "Define it in an earlier line."
        raise InvalidInput(
            f"{user!r} uses {name!r}, which no earlier line holds. {hint}"
        )
    value = ledger[name].value
    return None if value is None else float(value)


def _new_name(name: str, ledger: Ledger) -> None:
    if name in ledger:
        raise InvalidInput(f"{name!r} is defined twice. Give one of them another name.")


def _fact(row: Mapping[str, Any]) -> Fact:
    where = _row(row, "facts", ("name", "value", "unit", "grade", "source"))
    value = row["value"]
    return Fact(
        name=row["name"],
        value=None if value is None else _number(value, where),
        unit=str(row["unit"]),
        grade=_grade(row["grade"], where),
        source=row["source"],
    )


def _step(row: Mapping[str, Any]) -> Step:
    _row(row, "steps", ("name", "formula", "unit"), ("why",))
    return Step(
        row["name"], str(row["formula"]), str(row["unit"]), row.get("why") or ""
    )


def _claim(row: Mapping[str, Any]) -> Claim:
    needed = ("name", "published", "unit", "computed", "rtol", "where")
    where = _row(row, "claims", needed, ("holds", "factor"))
    factor = row.get("factor")
    return Claim(
        name=row["name"],
        published=_number(row["published"], where),
        unit=str(row["unit"]),
        computed=row["computed"],
        rtol=_number(row["rtol"], where),
        where=row["where"],
        holds=row.get("holds", True),
        factor=None if factor is None else _number(factor, where),
    )


def _row(
    row: Mapping[str, Any],
    part: str,
    needed: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> str:
    """Check the keys of one line; return what to call it in a message."""
    where = f"replay.{part}: {row.get('name', 'a line without a name')}"
    _only(row, (*needed, *optional), where)
    missing = [key for key in needed if key not in row or row[key] == ""]
    if missing:
        raise InvalidInput(
            f"{where} has no {', '.join(missing)}. It needs {', '.join(needed)}."
        )
    return where


def _only(data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in data:
        if key not in known:
            close = did_you_mean(str(key), known)
            hint = f"Did you mean {close}?" if close else f"Keys: {', '.join(known)}."
            raise InvalidInput(f"{key!r} is not a key of {where}. {hint}")


def _grade(label: str, where: str) -> Grade:
    known = {grade.label: grade for grade in Grade}
    if label not in known:
        raise InvalidInput(
            f"{where} has grade {label!r}; give one of {', '.join(known)}."
        )
    return known[label]


def _number(value: Any, where: str) -> float:
    """Convert to float; YAML 1.1 reads 175e9 as text, which is meant as a number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"{where} is {value!r}; give a finite number.")
    return number
