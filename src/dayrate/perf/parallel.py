"""What one accelerator sees of a replica's step."""

import numpy as np

from dayrate.catalog.model import ModelSpec
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.operators import Formats, Rank, StepShape
from dayrate.units import Num

__all__ = ["accelerator_rank", "layer_imbalance", "scheduling_ranks"]


def scheduling_ranks(parallelism: Parallelism) -> Num:
    """Count the groups of sequences that a replica works on at the same time.

    Each attention-data rank has its own sequences, and a pipeline is full when as
    many micro-batches as stages are under way.

    Parameters
    ----------
    parallelism : Parallelism
        How the replica is spread.

    Returns
    -------
    Num
        Micro-batches in flight. [1]

    Examples
    --------
    >>> scheduling_ranks(Parallelism(tensor=8, pipeline=2))
    2

    References
    ----------
    .. [1] A. Agrawal et al., "Sarathi-Serve", OSDI 2024, arXiv:2403.02310.
    """
    return parallelism.pipeline * parallelism.attention_data


def accelerator_rank(
    model: ModelSpec, parallelism: Parallelism, precision: Precision, shape: StepShape
) -> Rank:
    """Share a step out: micro-batches over stages, sequences over attention ranks.

    Parameters
    ----------
    model : ModelSpec
        The model.
    parallelism : Parallelism
        How the replica is spread.
    precision : Precision
        Number formats.
    shape : StepShape
        The replica's step.

    Returns
    -------
    Rank
        The busiest accelerator's view; a step with fewer sequences than ranks still
        gives that accelerator a whole one.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B
    >>> step = StepShape(decode_sequences=64)
    >>> rank = accelerator_rank(LLAMA_3_1_70B, Parallelism(pipeline=4), BF16, step)
    >>> float(rank.shape.decode_sequences)
    16.0

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU
       Clusters Using Megatron-LM", SC 2021, arXiv:2104.04473.
    """
    ranks = scheduling_ranks(parallelism)
    stages = parallelism.pipeline
    decoding = _share(shape.decode_sequences, stages) * shape.decode_tokens_each
    tokens = _share(shape.prefill_tokens, stages) + decoding
    local = StepShape(
        prefill_tokens=_share(shape.prefill_tokens, ranks),
        prefill_context_tokens=shape.prefill_context_tokens,
        decode_sequences=_share(shape.decode_sequences, ranks),
        decode_context_tokens=shape.decode_context_tokens,
        logit_sequences=_share(shape.logit_sequences, ranks),
        prefill_read_tokens=shape.prefill_read_tokens / ranks,
        decode_tokens_each=shape.decode_tokens_each,
        prefill_prompt_tokens=shape.prefill_prompt_tokens,
        decode_cross_tokens=shape.decode_cross_tokens,
    )
    return Rank(
        hidden=model.hidden_size,
        parallelism=parallelism,
        formats=Formats.of(model, precision),
        shape=local,
        routed_tokens=tokens,
    )


def layer_imbalance(model: ModelSpec, parallelism: Parallelism) -> Num:
    """Slowest stage's layers over the mean: the rate of a pipeline is that of it.

    Parameters
    ----------
    model : ModelSpec
        The model.
    parallelism : Parallelism
        How the replica is spread.

    Returns
    -------
    Num
        At least 1. [1]

    Examples
    --------
    >>> from dayrate.perf.examples import LLAMA_3_1_70B
    >>> float(layer_imbalance(LLAMA_3_1_70B, Parallelism(pipeline=3)))
    1.0125

    References
    ----------
    .. [1] Y. Huang et al., "GPipe", NeurIPS 2019, arXiv:1811.06965.
    """
    layers = model.n_layers
    return np.ceil(layers / parallelism.pipeline) * parallelism.pipeline / layers


def _share(amount: Num, ranks: Num) -> Num:
    return np.maximum(amount / ranks, np.minimum(amount, 1.0))
