"""The prediction for what a load test ran, made as the backtest makes it."""

from dataclasses import asdict, dataclass
from typing import Any

from dayrate.errors import DayrateError
from dayrate.measure.endpoint.note import mark
from dayrate.measure.endpoint.result import Result
from dayrate.measure.endpoint.tables import COLUMNS, Deployed, result_rows
from dayrate.validation.calibration import Calibration, Shipped
from dayrate.validation.predict import predictions
from dayrate.validation.table import parse_rows

__all__ = ["Compared", "Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric, in the unit that its name ends in."""

    metric: str
    measured: float
    predicted: float

    @property
    def ratio(self) -> float:
        """Predicted over measured. [1]"""
        return self.predicted / self.measured


@dataclass(frozen=True, slots=True)
class Comparison:
    """Metrics side by side, or why there is no prediction."""

    rows: tuple[Compared, ...] = ()
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "metrics": [asdict(row) | {"ratio": row.ratio} for row in self.rows],
            "why_not": self.why_not or None,
        }


def compare(
    result: Result, deployed: Deployed, calibration: Calibration | None = None
) -> Comparison:
    """Predict the test from its configuration, the result unseen.

    Parameters
    ----------
    result : Result
        A test with answers.
    deployed : Deployed
        What is served and on what.
    calibration : Calibration, optional
        Coefficients; those that ship, if not given.
    """
    if not deployed.named:
        return Comparison(why_not=mark("it takes --model and --accelerator"))
    rows = result_rows(result, deployed)
    cells = [[row.get(c, "") for c in COLUMNS] for row in rows]
    table = parse_rows([list(COLUMNS), *cells], name="the test")
    try:
        found, failed = predictions(table.rows, calibration or Shipped())
    except DayrateError as e:  # a configuration that nothing can be said of
        return Comparison(why_not=str(e))
    compared = tuple(
        Compared(row.metric, float(measured), float(predicted))
        for row, measured, predicted in zip(
            found.rows, found.measured, found.predicted, strict=True
        )
    )
    reasons = "; ".join(dict.fromkeys(reason for _row, reason in failed))
    return Comparison(compared, reasons)
