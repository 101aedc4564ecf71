"""Operations of a training step: as torch counts them, and as predicted."""

import contextlib
import copy
import time
from typing import Any

from dayrate.measure.train.job import Job, Objective
from dayrate.measure.train.model import adapted
from dayrate.training.flops import AttentionCount, flop_per_token

__all__ = [
    "counted_step_flop",
    "matrix_params",
    "peak_flop_per_s",
    "predicted_step_flop",
]

#: Frozen matrices need no gradient of their own: 2 + 2 operations instead of 6.
_FROZEN_OVER_TRAINED = 4 / 6


def matrix_params(config: Any, objective: Objective, tokens_per_sequence: int) -> float:
    """Weights that every token is multiplied by: no look-ups, norms and biases.

    BERT's pooler and its answer to "does it follow?" see one token of a sequence.
    """
    width, layers = config.hidden_size, config.num_hidden_layers
    blocks = layers * (4 * width * width + 2 * width * _feed_forward(config))
    head = config.vocab_size * width
    if objective is Objective.CAUSAL:
        return float(blocks + head)
    once = width * width + 2 * width
    return float(blocks + head + width * width + once / tokens_per_sequence)


def predicted_step_flop(config: Any, job: Job) -> float:
    """Operations of a step by ``6N + 12 L d s`` per token, less what LoRA spares.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> gpt2 = SimpleNamespace(hidden_size=768, num_hidden_layers=12, n_inner=None,
    ...                        vocab_size=50257)
    >>> f"{predicted_step_flop(gpt2, Job(context=1024, batch=1)):.4g}"
    '8.749e+11'
    """
    per_token = flop_per_token(
        active_params=matrix_params(config, job.objective, job.context),
        n_layers=config.num_hidden_layers,
        query_width=config.hidden_size,
        sequence_tokens=job.context,
        attention=AttentionCount.FULL,
    )
    if job.lora_rank is None:
        return float(per_token * job.step_tokens)
    matrices = 6 * matrix_params(config, job.objective, job.context)
    saved = matrices * (1 - _FROZEN_OVER_TRAINED)
    return float((per_token - saved) * job.step_tokens)


def counted_step_flop(model: Any, job: Job, batch: dict[str, Any]) -> float | None:
    """Operations of a forward and backward pass, on shapes alone.

    Attention runs "eager": torch does not count the fused kernel of processors. The
    mask of padding is left out, which changes no shape.
    """
    from torch.utils.flop_counter import FlopCounterMode

    config = copy.deepcopy(model.config)
    config._attn_implementation = "eager"
    twin = adapted(model.__class__(config), job).to("meta")
    shapes = {k: v.to("meta") for k, v in batch.items() if k != "attention_mask"}
    counter = FlopCounterMode(display=False)
    with contextlib.suppress(NotImplementedError, RuntimeError), counter:
        twin(**shapes).loss.backward()
        return float(counter.get_total_flops())
    return None


def peak_flop_per_s(device: str, seconds: float = 0.25, width: int = 1024) -> float:
    """Rate of the best of several square products on this device, in its format."""
    import torch

    a = torch.randn(width, width, device=device)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        before = time.perf_counter()
        a @ a
        _wait(device)
        best = max(best, 2 * width**3 / (time.perf_counter() - before))
    return best


def _wait(device: str) -> None:
    """Let an accelerator finish: it works behind the program's back."""
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def _feed_forward(config: Any) -> int:
    inner = getattr(config, "intermediate_size", None) or getattr(
        config, "n_inner", None
    )
    return int(inner or 4 * config.hidden_size)
