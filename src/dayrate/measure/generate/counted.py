"""Operations of a run as torch's counter sees them, on tensors without data."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dayrate.measure.generate.trace import Pass

__all__ = ["counted_flop"]


def counted_flop(
    config: Any, passes: Iterable[Pass], hf: Any, torch: Any
) -> int | None:
    """Count the matrix products of prefills and decode steps. [FLOP]

    None where a model cannot run without data: which experts work depends on it.

    Attention is the eager one: the fused kernels of a processor are not counted. It
    multiplies whole squares in the prefill, masked or not. A step's work is linear in
    its context, so the first two steps give the sum.
    """
    with torch.device("meta"):
        network = hf.AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", trust_remote_code=False
        ).eval()
    try:
        return sum(_of_pass(network, one, torch) for one in passes if one.step_s)
    except Exception:  # networks of a hundred families, each with its own
        return None


def _of_pass(network: Any, one: Pass, torch: Any) -> int:
    step, past = _Steps(network, one.width, torch), None
    if one.cached_tokens:
        _uncounted, past = step.forward(one.cached_tokens, None)
    total, past = step.forward(one.computed_tokens, past)
    n = one.decode_steps
    if n:
        first, past = step.forward(1, past)
        second, _past = step.forward(1, past)
        total += n * first + (second - first) * n * (n - 1) // 2
    return total


@dataclass(frozen=True, slots=True)
class _Steps:
    """Runs a network on tokens that are only counted."""

    network: Any
    width: int
    torch: Any

    def forward(self, tokens: int, past: Any) -> tuple[int, Any]:
        """Operations of one call, and the cache after it."""
        flop_counter: Any = importlib.import_module("torch.utils.flop_counter")
        torch = self.torch
        ids = torch.zeros((self.width, tokens), dtype=torch.long, device="meta")
        with torch.no_grad(), flop_counter.FlopCounterMode(display=False) as counter:
            done = self.network(
                input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1
            )
        return counter.get_total_flops(), done.past_key_values
