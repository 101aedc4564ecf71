"""A load test as tables: a row per metric for the backtest, a row per request."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dayrate import catalog
from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.plan import ClosedLoop, OpenLoop
from dayrate.measure.endpoint.record import Record
from dayrate.measure.endpoint.result import Result

__all__ = ["Deployed", "request_rows", "requests_text", "result_rows", "results_text"]

#: Columns of the published tables, in their order.
COLUMNS = (
    *("row_id", "source", "source_ref", "date", "model", "system", "gpu", "gpus", "tp"),
    *("pp", "ep", "attention_dp", "moe_tp", "weights_dtype", "kv_dtype", "engine"),
    *("engine_version", "scenario", "isl", "osl", "concurrency_or_batch"),
    *("request_rate", "metric", "value", "len_kind", "spec_decode", "notes", "arch"),
    *("qc_flags", "tier"),
)
_FEWEST = 3  # answers behind a mean


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is served and on what, as far as it was said; empty is not said.

    Parameters
    ----------
    model, accelerator : str
        Names of the catalogue.
    accelerators : int
        Of the whole server. [1]
    tensor : int or None
        Accelerators that share each layer; None: the fewest that hold the model.
    weights_dtype, kv_dtype : str
        As the measurement tables spell them; empty is the checkpoint's.
    """

    model: str = ""
    accelerator: str = ""
    accelerators: int = 1
    tensor: int | None = None
    weights_dtype: str = ""
    kv_dtype: str = ""
    engine: str = ""
    engine_version: str = ""

    def __post_init__(self) -> None:
        if self.model:
            catalog.model(self.model)
        if self.accelerator:
            catalog.accelerator(self.accelerator)
        if min(self.accelerators, self.tensor or 1) < 1:
            raise InvalidInput(
                "--accelerators and --tensor-parallel-size are 1 or more."
            )
        if self.accelerators % (self.tensor or 1):
            raise InvalidInput(
                f"{self.accelerators} accelerators are not whole replicas of "
                f"--tensor-parallel-size {self.tensor}. Give a multiple as "
                "--accelerators."
            )

    @property
    def named(self) -> bool:
        """Whether a prediction can be made."""
        return bool(self.model and self.accelerator)


def result_rows(result: Result, deployed: Deployed) -> list[dict[str, str]]:
    """Return the means as rows of a measurement table; none without answers."""
    common, when = _common(result, deployed), result.date.strftime("%Y%m%dT%H%M%SZ")
    return [
        common
        | {"row_id": f"{when}-{metric}", "metric": metric, "value": _number(value)}
        for metric, value in _metrics(result).items()
        if value is not None and value > 0
    ]


def results_text(result: Result, deployed: Deployed) -> str:
    """Return the table that ``dayrate backtest`` reads."""
    return _csv(COLUMNS, result_rows(result, deployed))


def requests_text(result: Result, *, lines: bool) -> str:
    """Return every request as JSON lines, or as CSV without the single gaps."""
    rows = request_rows(result)
    if lines:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    flat = [{k: v for k, v in row.items() if k != "gaps_ms"} for row in rows]
    return _csv(_REQUEST_COLUMNS, flat)


def request_rows(result: Result) -> list[dict[str, Any]]:
    """Return what is known of each request, times since the load began."""
    return [_request_row(r, result.run.start_s) for r in result.run.records]


_REQUEST_COLUMNS = (
    *("request", "state", "due_s", "sent_s", "ttft_ms", "tpot_ms", "e2e_ms"),
    *("gap_p50_ms", "gap_max_ms", "input_tokens", "cached_tokens", "output_tokens"),
    *("asked_input_tokens", "asked_output_tokens", "tokens_counted_by", "chunks"),
    *("finish_reason", "retries", "waited_ms", "fault", "http_status", "message"),
)


def _request_row(r: Record, start_s: float) -> dict[str, Any]:
    gaps_ms = [round(gap * 1e3, 3) for gap in r.gaps_s]
    counted = r.usage.completion_tokens is not None
    return {
        "request": r.job.index,
        "state": r.state.value,
        "due_s": _after_s(start_s, r.job.at_s),
        "sent_s": _after_s(start_s, r.sent_s),
        "ttft_ms": _ms(r.ttft_s),
        "tpot_ms": _ms(r.tpot_s),
        "e2e_ms": _ms(r.e2e_s),
        "gap_p50_ms": sorted(gaps_ms)[len(gaps_ms) // 2] if gaps_ms else None,
        "gap_max_ms": max(gaps_ms, default=None),
        "input_tokens": r.input_tokens,
        "cached_tokens": r.usage.cached_tokens,
        "output_tokens": r.output_tokens,
        "asked_input_tokens": r.job.input_tokens,
        "asked_output_tokens": r.job.output_tokens,
        "tokens_counted_by": "usage" if counted else "chunks",
        "chunks": len(r.token_s),
        "finish_reason": r.finish_reason or None,
        "retries": r.retries,
        "waited_ms": _ms(r.waited_s),
        "fault": None if r.fault is None else r.fault.value,
        "http_status": r.status,
        "message": r.message or None,
        "gaps_ms": gaps_ms,
    }


def _after_s(start_s: float, time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s - start_s, 6)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)


def _common(result: Result, deployed: Deployed) -> dict[str, str]:
    run, s = result.run, result.summary
    in_flight, rate = _offered(result)
    return {
        "source": "dayrate measure endpoint",
        "source_ref": run.served.dialect.api.path,
        "date": result.date.date().isoformat(),
        "model": deployed.model or run.served.dialect.model,
        "gpu": deployed.accelerator,
        "gpus": str(deployed.accelerators),
        "tp": "" if deployed.tensor is None else str(deployed.tensor),
        "weights_dtype": deployed.weights_dtype,
        "kv_dtype": deployed.kv_dtype,
        "engine": deployed.engine or run.served.engine,
        "engine_version": deployed.engine_version or run.served.engine_version,
        "scenario": "online",
        "isl": _number(s.mean_input_tokens or 0.0),
        "osl": _number(s.mean_output_tokens or 0.0),
        "concurrency_or_batch": in_flight,
        "request_rate": rate,
        "len_kind": "fixed" if run.sizes.fixed else "dataset_mean",
        "notes": f"num_requests={s.done}; means over whole answers",
        "arch": (deployed.model or run.served.dialect.model).rpartition("/")[2].lower(),
        "tier": "A" if deployed.named and s.done >= _FEWEST else "B",
    }


def _offered(result: Result) -> tuple[str, str]:
    """Write how many were in flight, or at which rate requests left."""
    pace = result.run.ask.pace
    if isinstance(pace, ClosedLoop):
        return str(pace.concurrency), "closed-loop"
    if isinstance(pace, OpenLoop):
        return "", _number(pace.requests_per_s)
    due = [r.job.at_s for r in result.run.records if r.job.at_s is not None]
    span_s = max(due) - min(due) if due else 0.0
    return "", _number((len(due) - 1) / span_s) if span_s else "inf"


def _metrics(result: Result) -> Mapping[str, float | None]:
    s = result.summary
    return {
        "requests_per_s": s.requests_per_s,
        "output_tokens_per_s": s.output_tokens_per_s,
        "total_tokens_per_s": s.input_tokens_per_s + s.output_tokens_per_s,
        "ttft_ms": None if s.ttft.mean_s is None else s.ttft.mean_s * 1e3,
        "tpot_ms": None if s.tpot.mean_s is None else s.tpot.mean_s * 1e3,
        "e2e_latency_s": s.e2e.mean_s,
    }


def _number(value: float) -> str:
    return "inf" if math.isinf(value) else f"{value:.10g}"


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
