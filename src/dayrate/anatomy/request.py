"""The request that is walked: its lengths, and the shapes of its passes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.perf.operators import StepShape
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working

__all__ = ["Lengths", "decode_shape", "lengths_of", "prefill_shape"]

Floats = npt.NDArray[np.float64]
#: Lengths where none are given: every catalogued model can hold them.
DEFAULT_ISL, DEFAULT_OSL = 512, 128
_MOST = 10**6  # tokens of a request: beyond most contexts, and quick to walk


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a request, and requests side by side; an encoder writes none."""

    isl: int
    osl: int
    batch: int


def lengths_of(scenario: Scenario, model: ModelSpec, batch: int, w: Working) -> Lengths:
    """Take the lengths asked for, and refuse what the model cannot hold."""
    if not 1 <= batch <= _MOST:
        raise InvalidInput(f"--batch is {batch}; give requests side by side, from 1.")
    asked = scenario.workload
    isl = _whole("isl", asked.isl, DEFAULT_ISL, w)
    if model.is_encoder:
        if asked.osl is not None:
            raise InvalidInput(
                f"{model.id} reads text and writes none. Leave --osl out."
            )
        osl = 0
    else:
        osl = _whole("osl", asked.osl, DEFAULT_OSL, w)
    _check_context(scenario, model, isl, osl)
    return Lengths(isl, osl, batch)


def _whole(flag: str, asked: float | None, default: int, w: Working) -> int:
    value = w.assumed(
        f"workload.{flag}", asked, "token", default=default, why=f"set --{flag}"
    )
    if value != int(value) or value > _MOST:
        raise InvalidInput(
            f"--{flag} is {value:g}; give a whole number of tokens up to {_MOST:,}."
        )
    return int(value)


def _check_context(scenario: Scenario, model: ModelSpec, isl: int, osl: int) -> None:
    limit = scenario.model.max_model_len or model.max_position_embeddings
    apart = model.is_encoder_decoder  # each side has its own positions
    longest = max(isl, osl) if apart else isl + osl
    if limit is not None and longest > limit:
        held = "the longer of the two" if apart else "together"
        raise InvalidInput(
            f"--isl {isl} and --osl {osl} are {longest} tokens ({held}) and "
            f"{model.id} holds {limit}. Give shorter ones."
        )


def prefill_shape(model: ModelSpec, lengths: Lengths) -> StepShape:
    """Shape of the pass that reads the prompts and yields the first token of each.

    A causal token sees itself and those before it, (n + 1) / 2 on average. Layers of
    an encoder see all, which `dayrate.perf` takes as twice the context; a decoder
    beside it starts from one token of its own.
    """
    isl, batch = float(lengths.isl), float(lengths.batch)
    both_ways = model.is_encoder or model.is_encoder_decoder
    starts = batch if model.is_encoder_decoder else 0.0
    return StepShape(
        prefill_tokens=batch * isl,
        prefill_context_tokens=isl / 2.0 if both_ways else (isl + 1.0) / 2.0,
        prefill_prompt_tokens=isl,
        decode_sequences=starts,
        decode_context_tokens=isl + 1.0 if starts else 0.0,
        decode_cross_tokens=isl if starts else 0.0,
        logit_sequences=batch * isl if model.is_encoder else batch,
    )


def decode_shape(
    model: ModelSpec, lengths: Lengths, context: float | Floats
) -> StepShape:
    """Shape of a pass that adds one token to each request.

    ``context`` counts the prompt and the tokens written so far, the newest included;
    the decoder beside an encoder has its start token as well.
    """
    isl, batch = float(lengths.isl), float(lengths.batch)
    crosses = model.is_encoder_decoder
    return StepShape(
        prefill_tokens=0.0 * np.asarray(context),
        decode_sequences=batch,
        decode_context_tokens=context + (1.0 if crosses else 0.0),
        decode_cross_tokens=isl if crosses else 0.0,
        logit_sequences=batch,
    )
