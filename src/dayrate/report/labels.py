"""What the names in a result are called when people read them."""

from collections.abc import Mapping

from dayrate.evidence import Grade
from dayrate.report.i18n import Words, mark

__all__ = [
    "BINDINGS",
    "CONFIDENCE",
    "GRADES",
    "PRICING",
    "SERVING",
    "TERMS",
    "bare",
    "label",
]

TERMS: Mapping[str, str] = {
    "accelerators": mark("accelerators, rented"),
    "servers": mark("servers, rented"),
    "capital": mark("servers, written off"),
    "network_capital": mark("network, written off"),
    "storage_capital": mark("storage, written off"),
    "colocation": mark("colocation"),
    "spares": mark("spare machines"),
    "electricity": mark("electricity"),
    "maintenance": mark("maintenance"),
    "staff": mark("staff"),
    "software": mark("software"),
    "data": mark("data"),
    "storage": mark("storage"),
    "network": mark("network"),
    "training": mark("training"),
}

SERVING: Mapping[str, str] = {
    "requests_per_day": mark("requests per day"),
    "input_tokens_per_day": mark("input tokens per day"),
    "cached_input_tokens_per_day": mark("of these cached"),
    "output_tokens_per_day": mark("output tokens per day"),
    "peak_requests_per_s": mark("requests per second at the peak"),
    "capacity_requests_per_s": mark("one replica carries, per second"),
    "batch": mark("sequences decoding together"),
    "tokens_per_s_per_accelerator": mark("tokens per second and accelerator"),
    "utilisation": mark("utilisation, mean over the day"),
}

BINDINGS: Mapping[str, str] = {
    "memory": mark("memory for the KV cache"),
    "max_num_seqs": mark("the limit on sequences per batch"),
    "ttft": mark("the target for the first token"),
    "tpot": mark("the target for each output token"),
    "compute": mark("compute"),
}

GRADES: Mapping[Grade, str] = {
    Grade.GIVEN: mark("given"),
    Grade.MEASURED: mark("measured"),
    Grade.FITTED: mark("fitted"),
    Grade.CITED: mark("cited"),
    Grade.ASSUMED: mark("assumed"),
}

PRICING: Mapping[str, str] = {
    "on-demand": mark("on-demand"),
    "reserved-1y": mark("reserved-1y"),
    "reserved-3y": mark("reserved-3y"),
    "spot": mark("spot"),
    "owned": mark("owned"),
}

CONFIDENCE: Mapping[str, str] = {
    "high": mark("high"),
    "medium": mark("medium"),
    "low": mark("low"),
}

#: Parts of a ledger's names that are read as words; the rest stays as it is.
_LINES: Mapping[str, str] = {
    **TERMS,
    **SERVING,
    "isl": mark("input tokens per request"),
    "osl": mark("output tokens per request"),
    "input_tokens_per_request": mark("input tokens per request"),
    "output_tokens_per_request": mark("output tokens per request"),
    "cached_input_frac": mark("share of input tokens cached"),
    "day_shape": mark("shape of the day"),
    "users": mark("users per day"),
    "requests_per_user": mark("requests per user and day"),
    "ttft_ms": mark("time to first token (TTFT)"),
    "tpot_ms": mark("time per output token (TPOT)"),
    "percentile": mark("percentile of the targets"),
    "replicas": mark("replicas at the busiest hour"),
    "tensor_parallel_size": mark("tensor parallel size"),
    "pipeline_parallel_size": mark("pipeline parallel size"),
    "headroom_frac": mark("head-room above the peak"),
    "gpu_memory_utilization": mark("share of memory used"),
    "max_num_seqs": mark("sequences per batch, at most"),
    "weights_dtype": mark("format of the weights"),
    "kv_cache_dtype": mark("format of the KV cache"),
    "gpu_hour_price": mark("price of an accelerator-hour"),
    "usd_per_accelerator_hour": mark("price of an accelerator-hour"),
    "fx": mark("exchange rate"),
    "pue": mark("PUE"),
    "discount_rate": mark("discount rate"),
    "lifetime_years": mark("lifetime"),
    "residual_frac": mark("residual value"),
    "availability": mark("availability"),
    "total_usd_per_day": mark("total per day"),
    "usd_per_request": mark("per request"),
    "usd_per_million_input_tokens": mark("per million input tokens"),
    "usd_per_million_cached_input_tokens": mark("per million cached input tokens"),
    "usd_per_million_output_tokens": mark("per million output tokens"),
    "kwh_per_day": mark("electricity per day"),
    "wh_per_request": mark("electricity per request"),
    "mean_it_power_kw": mark("mean power of the machines"),
    "kg_co2_per_day": mark("CO2 per day"),
}

_ENDINGS = ("_usd_per_day", "_usd_per_kwh", "_usd_per_hour", "_ms", "_usd", "_frac")


def label(name: str, words: Words) -> str:
    """Read the last part of a ledger's name as words; empty where there are none."""
    last = name.rpartition(".")[2]
    for known in (last, bare(last)):
        if known in _LINES:
            return words(_LINES[known])
    return ""


def bare(name: str) -> str:
    """Take the unit off a name."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name
