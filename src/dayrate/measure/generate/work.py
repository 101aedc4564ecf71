"""Operations of a run, from the model's shape."""

import numpy as np

from dayrate.catalog.model import ModelSpec
from dayrate.measure.generate.trace import Pass
from dayrate.perf.blocks import step_operators
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.operators import OpKind, StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.units import DType

__all__ = ["decode_flop", "prefill_flop"]

_ONE = Parallelism()
_FORMATS = Precision(DType.BF16, DType.BF16, DType.BF16)  # operations are the same


def prefill_flop(spec: ModelSpec, one: Pass) -> float:
    """Matrix products of a prompt's computation; tokens attend to earlier ones. [FLOP]

    An implementation that computes all pairs and masks half of them does more.
    """
    new, width = one.computed_tokens, one.width
    shape = StepShape(
        prefill_tokens=float(new * width),
        prefill_context_tokens=one.cached_tokens + (new + 1) / 2,
        logit_sequences=float(width),
    )
    return float(_flop(spec, shape))


def decode_flop(spec: ModelSpec, one: Pass) -> float:
    """Matrix products of the steps after it, one token of each sequence. [FLOP]"""
    if not one.decode_steps:
        return 0.0
    contexts = one.prompt_tokens + np.arange(1.0, one.decode_steps + 1)
    shape = StepShape(
        decode_sequences=np.full_like(contexts, one.width),
        decode_context_tokens=contexts,
        logit_sequences=np.full_like(contexts, one.width),
    )
    return float(np.sum(_flop(spec, shape)))


def _flop(spec: ModelSpec, shape: StepShape) -> np.float64 | np.ndarray:
    rank = accelerator_rank(spec, _ONE, _FORMATS, shape)
    operators = step_operators(spec, rank)
    products = (o for o in operators if o.kind is not OpKind.ELEMENTWISE)
    return sum((np.asarray(o.flop * o.count) for o in products), start=np.float64(0))
