"""Operations of a run as torch's counter sees them, on tensors without data."""

import importlib
from collections.abc import Iterable
from typing import Any

from dayrate.measure.generate.trace import Pass

__all__ = ["counted_flop"]


def counted_flop(config: Any, passes: Iterable[Pass], hf: Any, torch: Any) -> int:
    """Count the matrix products of prefills and decode steps. [FLOP]

    Attention is the eager one: the fused kernels of a processor are not counted. It
    multiplies whole squares in the prefill, masked or not. A step's work is linear in
    its context, so the first and the last step give the sum.
    """
    with torch.device("meta"):
        network = hf.AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", trust_remote_code=False
        ).eval()
    return sum(_of_pass(network, one, torch) for one in passes if one.step_s)


def _of_pass(network: Any, one: Pass, torch: Any) -> int:
    cached, new = one.cached_tokens, one.computed_tokens
    total = _forward(network, one.width, cached, new, torch)
    steps, start = one.decode_steps, one.prompt_tokens
    if steps:
        first = _forward(network, one.width, start, 1, torch)
        last = _forward(network, one.width, start + steps - 1, 1, torch)
        total += (first + last) * steps // 2
    return total


def _forward(network: Any, width: int, cached: int, new: int, torch: Any) -> int:
    flop_counter: Any = importlib.import_module("torch.utils.flop_counter")
    counter = flop_counter.FlopCounterMode(display=False)
    with torch.no_grad():
        past = None
        if cached:
            past = network(**_tokens(width, cached, torch)).past_key_values
        with counter:
            network(**_tokens(width, new, torch), past_key_values=past)
    total: int = counter.get_total_flops()
    return total


def _tokens(width: int, count: int, torch: Any) -> dict[str, Any]:
    ids = torch.zeros((width, count), dtype=torch.long, device="meta")
    return {"input_ids": ids, "use_cache": True, "logits_to_keep": 1}
