"""Rows of measurement tables, for examples and tests: what is not given is usual."""

from dayrate.validation.table import REQUIRED, Measurement, Table, parse_rows

__all__ = ["EXTRA", "TOTAL", "row", "table"]

EXTRA = (
    *("pp", "ep", "attention_dp", "moe_tp", "len_kind", "spec_decode", "notes"),
    *("date", "system"),
)
_USUAL = {
    "row_id": "r1",
    "source": "a paper",
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "gpu": "H100-SXM-80GB",
    "gpus": "1",
    "tp": "1.0",
    "weights_dtype": "bf16",
    "kv_dtype": "bf16",
    "engine": "vLLM",
    "engine_version": "0.11.1",
    "scenario": "offline",
    "isl": "1024.0",
    "osl": "128.0",
    "request_rate": "inf",
    "metric": "output_tokens_per_s",
    "value": "1000",
    "arch": "llama3-8b",
    "tier": "A",
}
#: A row that lists the accelerators of prefill and decode as one number.
TOTAL = {
    "model": "deepseek-ai/DeepSeek-R1",
    "gpu": "GB200-NVL72-192GB",
    "gpus": "48",
    "tp": "48",
    "ep": "1",
    "attention_dp": "1",
    "moe_tp": "48",
    "weights_dtype": "fp4",
    "kv_dtype": "",
    "engine": "TensorRT-LLM",
    "engine_version": "",
    "scenario": "online",
    "isl": "8192",
    "osl": "1024",
    "len_kind": "random_range_mean",
    "concurrency_or_batch": "538",
    "request_rate": "closed-loop",
    "metric": "ttft_ms",
}


def table(*rows: dict[str, str], more: tuple[str, ...] = ()) -> Table:
    """Build a table of rows, with further columns ``more``."""
    header = [*REQUIRED, *EXTRA, *more]
    cells = [[(_USUAL | r).get(c, "") for c in header] for r in rows]
    return parse_rows([header, *cells], name="test.csv")


def row(**cells: str) -> Measurement:
    """Read one row."""
    return table(cells).rows[0]
