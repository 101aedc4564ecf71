"""From the cells of a row to a `Configuration`, by the conventions of the sources."""

import math
import re
from collections.abc import Mapping

from dayrate.units import DType
from dayrate.validation.configuration import Configuration
from dayrate.validation.launch import launch_of

__all__ = ["Unreadable", "read_configuration"]

SCENARIOS = ("static_batch", "offline", "online")
#: Lengths drawn uniformly from 80 to 100 % of the nominal.
_RANDOM_RANGE_MEAN, _RANDOM_RANGE_CV = 0.9, 0.2 / math.sqrt(12) / 0.9
#: Outputs of chat data sets vary about as much as an exponential's half; assumed.
_DATASET_CV = 0.6
_FORMATS = {
    "fp32": DType.FP32,
    "bf16": DType.BF16,
    "fp16": DType.FP16,
    "bf16/fp16": DType.BF16,
    "fp8": DType.FP8,
    "int8": DType.INT8,
    "int4": DType.INT4,
    "uint4": DType.INT4,
    "fp4": DType.NVFP4,
    "nvfp4": DType.NVFP4,
    "mxfp4": DType.MXFP4,
    "q4_k_m": DType.Q4_K_M,
    "q8_0": DType.Q8_0,
}
_REQUESTS = re.compile(
    r"num_requests=(\d+)|\b(\d+) requests|ShareGPT (\d+) prompts", re.IGNORECASE
)
_MAX_BATCH = re.compile(r"max_(?:batch|num_seqs)=(\d+)")
_POOLS = re.compile(r"DISAGGREGATED (\d+)P\+\d+D GPUs")
_DRAFTED = re.compile(r"\bk=([1-9]\d*)")
_ACCEPTED = re.compile(r"acceptance=(0?\.\d+|[01])")
_LAYER_DRAFTS = ("eagle", "mtp")  # one layer of the model with its head
_SPLITS = ("tp", "ep", "attention_dp")
_POWER_CAP = re.compile(r"powercap(\d+)")
#: Batches of this system take 17 s more than tokens explain, four models alike (16.7 to
#: 17.3 s at a batch of 1), and than the same source's "1x Intel Max 1550": kernels are
#: compiled at first use, within the timed run.
_START_S = {("LLM-Inference-Bench (Argonne)", "1x Intel PVC GPU", "vLLM"): 17.0}
_HARNESS_ROUNDS = 10  # requests per slot of the closed-loop harness


class Unreadable(Exception):
    """A row that cannot become a configuration, with the reason."""


def read_configuration(row: Mapping[str, str], accelerator_id: str) -> Configuration:
    """Read a row's cells, the value never.

    Raises
    ------
    Unreadable
        Something needed is missing or outside what can be predicted.
    """
    _refuse(row)
    draft_tokens, acceptance_frac, draft_layer = _drafts(row)
    tensor, pipeline, expert, attention_data = _ranks(row)
    scale, cv = _spread(row)
    concurrency = _optional(row, "concurrency_or_batch")
    weights = _format(row["weights_dtype"], "weights_dtype", accelerator_id)
    input_tokens = _length(row, "isl")
    launch = launch_of(
        row,
        accelerator_id,
        weights,
        input_tokens=input_tokens,
        concurrency=concurrency,
    )
    kv_cache = _format(row["kv_dtype"], "kv_dtype", accelerator_id)
    pools = _POOLS.search(row["notes"])
    return Configuration(
        model=row["model"],
        accelerator_id=accelerator_id,
        accelerators=_accelerators(row),
        tensor=tensor,
        pipeline=pipeline,
        expert=expert,
        attention_data=attention_data,
        weights=weights,
        kv_cache=kv_cache or launch.kv_cache,
        engine=row["engine"],
        engine_version=row["engine_version"],
        scenario=row["scenario"],
        input_tokens=input_tokens * scale,
        output_tokens=_length(row, "osl") * scale,
        concurrency=concurrency,
        request_rate=_rate(row, concurrency),
        requests=_requests(row, concurrency),
        max_batch=_max_batch(row["notes"]),
        output_cv=cv,
        power_cap_frac=_power_cap(row["gpu"]),
        start_s=_START_S.get((row["source"], row["system"], row["engine"]), 0.0),
        draft_tokens=draft_tokens,
        acceptance_frac=acceptance_frac,
        draft_layer=draft_layer,
        launch=launch,
        prefill_apart=pools is not None,
        prefill_accelerators=int(pools.group(1)) if pools else None,
    )


def _refuse(row: Mapping[str, str]) -> None:
    if row["scenario"] not in SCENARIOS:
        raise Unreadable("unknown scenario")
    apart = "DISAGGREGATED" in row["notes"] or "disaggregated" in row["system"]
    if apart and not _POOLS.search(row["notes"]):
        raise Unreadable("disaggregated prefill and decode")
    if row["notes"].startswith("OFFLOADING"):
        raise Unreadable("weights offloaded to the host")


def _drafts(row: Mapping[str, str]) -> tuple[int, float, bool]:
    """Tokens drafted in a step, the share confirmed, and whether a layer drafts."""
    kind = row["spec_decode"].lower()
    if kind in {"", "none", "unknown"}:
        return 0, 0.0, False
    drafted, accepted = _DRAFTED.search(kind), _ACCEPTED.search(row["notes"])
    if drafted is None or accepted is None:
        raise Unreadable("speculative decoding without acceptance")
    layer = kind.startswith(_LAYER_DRAFTS)
    if not layer and not kind.startswith("ngram"):
        raise Unreadable("unknown way of drafting")
    return int(drafted.group(1)), float(accepted.group(1)), layer


def _number(row: Mapping[str, str], column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        raise Unreadable(f"{column} is not a number") from None
    if not math.isfinite(number) or number < 0:
        raise Unreadable(f"{column} is not a number")
    return number


def _optional(row: Mapping[str, str], column: str) -> float | None:
    """Read a number, or None where the cell is empty or zero (zero: not known)."""
    number = _number(row, column) if row[column] else 0.0
    return number or None


def _accelerators(row: Mapping[str, str]) -> int:
    number = int(_optional(row, "gpus") or 0)
    if number == 0:
        raise Unreadable("gpus missing")
    return _counted_twice(row) or number


def _power_cap(gpu: str) -> float:
    """Share of rated power that a capped device may draw. [1]"""
    found = _POWER_CAP.search(gpu)
    return int(found.group(1)) / 100 if found else 1.0


def _length(row: Mapping[str, str], column: str) -> float:
    if not row[column]:
        raise Unreadable(f"{column} missing")
    return _number(row, column)


def _spread(row: Mapping[str, str]) -> tuple[float, float]:
    """Scale of nominal lengths, and the coefficient of variation of outputs."""
    kind = row["len_kind"]
    if kind == "random_range_mean":
        realised = "realised means" in row["notes"]
        return (1.0 if realised else _RANDOM_RANGE_MEAN), _RANDOM_RANGE_CV
    return 1.0, (_DATASET_CV if kind.endswith("_mean") else 0.0)


def _format(text: str, column: str, accelerator_id: str) -> DType | None:
    if not text:
        return None
    if text not in _FORMATS:
        raise Unreadable(f"unknown {column}")
    if text == "fp4" and accelerator_id.startswith("mi"):
        return DType.MXFP4  # the only 4-bit floating-point format of AMD's devices
    return _FORMATS[text]


def _ranks(row: Mapping[str, str]) -> tuple[int | None, int, int, int]:
    """Tensor, pipeline, expert and attention-data ranks of one replica."""
    pipeline = int(_optional(row, "pp") or 1)
    if not row["tp"]:
        return None, pipeline, 1, 1
    tensor, expert, data = (int(_optional(row, c) or 1) for c in _SPLITS)
    squared = _counted_twice(row)
    if squared:
        # which of tensor and attention-data ranks were meant shows in the other
        return (
            (squared if tensor > 1 else 1),
            1,
            squared,
            (1 if tensor > 1 else squared),
        )
    if data == 1 and expert > tensor * pipeline:
        data = expert // tensor  # DEPn: attention data-parallel and experts over n
    elif "attention DP" in row["notes"] and data == 1 and tensor > 1:
        tensor, data, expert = 1, tensor, tensor
    return tensor, pipeline, expert, data


def _counted_twice(row: Mapping[str, str]) -> int:
    """Ranks n of a row that lists n times n, or 0.

    Where tensor and expert ranks are the same n accelerators, InferenceX dumps multiply
    them: ``ep`` and ``moe_tp`` are both n, or ``ep`` is n squared over ``tp`` and
    ``attention_dp`` of n each. Figures equal those of the rows that list n.
    """
    expert, sharded = (int(_optional(row, c) or 1) for c in ("ep", "moe_tp"))
    tensor, data = (int(_optional(row, c) or 1) for c in ("tp", "attention_dp"))
    if 1 < expert == sharded and tensor * data == expert * sharded:
        return expert
    if 1 < tensor == data and expert == tensor * data:
        return tensor
    return 0


def _rate(row: Mapping[str, str], concurrency: float | None) -> float | None:
    """Offered rate of an open loop; None in a closed one and in a static batch."""
    text = row["request_rate"]
    if row["scenario"] == "static_batch" or text == "closed-loop":
        if concurrency is None and not text:
            raise Unreadable("batch missing")
        return None
    if text and text != "inf":
        return _number(row, "request_rate")
    return None if concurrency is not None else math.inf


def _requests(row: Mapping[str, str], concurrency: float | None) -> float:
    found = _REQUESTS.search(row["notes"])
    if found:
        return float(next(g for g in found.groups() if g))
    if row["request_rate"] == "closed-loop" and concurrency is not None:
        return _HARNESS_ROUNDS * concurrency
    return math.inf


def _max_batch(notes: str) -> float | None:
    found = _MAX_BATCH.search(notes)
    return float(found.group(1)) if found and float(found.group(1)) else None
