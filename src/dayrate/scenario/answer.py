"""The answer to one question, and how it shows itself to a program."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dayrate.errors import MissingExtra
from dayrate.evidence import Grade, Ledger, Line, format_value
from dayrate.scenario.result import (
    Bill,
    ClaimCheck,
    Deployment,
    Energy,
    Interval,
    Serving,
)
from dayrate.scenario.schema import Scenario

__all__ = ["Quote", "evidence_row", "explain"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Quote:
    """The daily bill of a scenario, with the deployment, the speed and the working.

    ``published`` holds figures that a source printed, checked against its own
    assumptions; ``engine`` is then what dayrate itself answers for the same demand.
    ``simulated`` is there where the day was simulated rather than solved.
    """

    scenario: Scenario
    deployment: Deployment
    serving: Serving
    energy: Energy
    bill: Bill
    ledger: Ledger
    omissions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    published: tuple[ClaimCheck, ...] = ()
    verdict: Mapping[str, str] = dataclasses.field(default_factory=dict)  # by language
    engine: "Quote | None" = None
    intervals: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    simulated: Mapping[str, Any] | None = None  # the day request by request, as JSON

    @property
    def assumptions(self) -> tuple[Line, ...]:
        """Facts that nobody gave and no source states."""
        return tuple(
            line
            for line in self.ledger
            if line.grade is Grade.ASSUMED and not line.formula
        )

    def explain(self) -> str:
        """Write every number with its formula, the numbers in it, source and grade."""
        return explain(self.ledger)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types only: the document that ``--json`` prints."""
        bill = self.bill
        data = {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.scenario.given,
            "deployment": _plain(self.deployment),
            "serving": _plain(self.serving),
            "energy": _plain(self.energy),
            "cost": {
                "terms_usd_per_day": _plain(bill.cost.terms_usd),
                "total_usd_per_day": bill.total_usd_per_day
                if bill.cost.terms_usd
                else None,
                **{
                    f.name: _plain(getattr(bill, f.name))
                    for f in dataclasses.fields(bill)
                    if f.name != "cost"
                },
            },
            "intervals": {k: v.to_dict() for k, v in self.intervals.items()},
            "evidence": [evidence_row(line, self.ledger) for line in self.ledger],
            "omissions": list(self.omissions),
            "notes": list(self.notes),
        }
        if self.simulated is not None:
            data["simulated"] = dict(self.simulated)
        if self.published:
            data["published"] = [_claim(c) for c in self.published]
            data["verdict"] = dict(self.verdict)
        if self.engine is not None:
            data["engine"] = self.engine.to_dict()
        return data

    def to_frame(self) -> Any:
        """Return the working as a pandas DataFrame, a row per line of evidence.

        Raises
        ------
        MissingExtra
            pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - optional, slow to load
        except ImportError:
            raise MissingExtra(what="to_frame()", extra="frame") from None
        return pd.DataFrame([evidence_row(line, self.ledger) for line in self.ledger])


def explain(ledger: Ledger) -> str:
    """Write each line: value, formula, the numbers in it, source and grade."""
    return "\n".join(_explained(line, ledger) for line in ledger)


def _explained(line: Line, ledger: Ledger) -> str:
    unit = "" if line.unit in {"", "1"} else f" {line.unit}"
    head = f"{line.name} = {format_value(line.value)}{unit}"
    if line.formula:
        head += f"\n    = {line.formula}\n    = {line.substituted(ledger.lines)}"
    source = f"{line.source} " if line.source else ""
    return f"{head}\n    {source}[{line.grade.label}]"


def evidence_row(line: Line, ledger: Ledger) -> dict[str, Any]:
    """Write a line of evidence as JSON types."""
    return {
        "name": line.name,
        "value": line.value,
        "unit": line.unit,
        "grade": line.grade.label,
        "source": line.source,
        "formula": line.formula,
        "substituted": line.substituted(ledger.lines) if line.formula else "",
    }


def _claim(claim: ClaimCheck) -> dict[str, Any]:
    return {**_plain(claim), "ratio": claim.ratio, "holds": claim.holds}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: _plain(getattr(value, f.name)) for f in fields}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value
