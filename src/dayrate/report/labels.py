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
    **SERVING,
    "id": mark("model"),
    "pricing": mark("pricing"),
    "ttft_mean_ms": mark("time to first token, mean"),
    "tpot_mean_ms": mark("time per output token, mean"),
    "usd_per_1k_tokens": mark("per 1k tokens, input and output"),
    "s_per_input_token": mark("work of one more input token"),
    "s_per_cached_input_token": mark("work of one more cached input token"),
    "s_per_output_token": mark("work of one more output token"),
    "total_params": mark("parameters"),
    "active_params": mark("parameters used per token"),
    "kv_bytes_per_token": mark("cache per token"),
    "calibration": mark("calibration of the timings"),
    "preset": mark("use that lengths are taken from"),
    "accelerator": mark("accelerator"),
    "accelerators": mark("accelerators"),
    "accelerators_per_replica": mark("accelerators of one replica"),
    "accelerator_hours": mark("accelerator-hours per day"),
    "billed_hours": mark("accelerator-hours billed"),
    "servers": mark("servers"),
    "hbm_gib": mark("memory per accelerator"),
    "hbm_gb_per_s": mark("memory bandwidth per accelerator"),
    "max_num_batched_tokens": mark("tokens per step, at most"),
    "usable_gib": mark("memory for weights and cache"),
    "free_memory_frac": mark("share of the free memory that the cache gets"),
    "weights_gib": mark("weights on the fullest accelerator"),
    "workspace_gib": mark("room to compute in"),
    "sequence_gib": mark("cache kept for a sequence"),
    "cache_gib": mark("room for cache"),
    "compute_ms": mark("bound by arithmetic"),
    "memory_ms": mark("bound by memory bandwidth"),
    "collective_ms": mark("exchange between accelerators"),
    "overhead_ms": mark("launches and host"),
    "decode_step_ms": mark("one step of decoding"),
    "kv_sequences": mark("sequences whose cache fits"),
    "capacity_batch": mark("sequences decoding together, at most"),
    "data_parallel_size": mark("data parallel size"),
    "peak_hour_over_mean": mark("busiest hour over the mean"),
    "burst": mark("busiest ten minutes over their hour"),
    "requests_per_user_per_day": mark("requests per user and day"),
    "site": mark("site"),
    "electricity_usd_per_kwh": mark("price of electricity"),
    "carbon_kg_per_kwh": mark("CO2 of the grid"),
    "provisioned_kw": mark("power provisioned"),
    "rated_kw": mark("rated power of a server"),
    "idle_w": mark("power of an idle server"),
    "busy_w": mark("power of a busy server"),
    "server_hours": mark("server-hours per day"),
    "usd_per_server": mark("price of a server"),
    "usd_per_staff_year": mark("cost of a person"),
    "staff_fte": mark("people"),
    "staff_per_mw": mark("people per megawatt"),
    "network_capex_frac": mark("network over servers, capital"),
    "storage_capex_frac": mark("storage over servers, capital"),
    "spares_frac": mark("spare machines"),
    "maintenance_frac_per_year": mark("maintenance per year, of capital"),
    "annuity_frac_per_year": mark("annuity per year, of capital"),
    "colocation_usd_per_kw_month": mark("rent of a provisioned kilowatt"),
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
    "engine": mark("serving engine"),
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
    first, _dot, last = name.rpartition(".")
    known = {**_LINES, **TERMS} if first == "cost" else _LINES
    return next((words(known[key]) for key in (last, bare(last)) if key in known), "")


def bare(name: str) -> str:
    """Take the unit off a name."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name
