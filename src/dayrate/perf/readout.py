"""Small work of a step whose seconds the engine's calibrated overhead already holds."""

from dayrate.catalog.model import ModelSpec, PositionKind
from dayrate.perf.operators import Operator, Rank

__all__ = ["readout_operators"]

_ADDED = frozenset({PositionKind.LEARNED, PositionKind.SINUSOIDAL})


def readout_operators(model: ModelSpec, rank: Rank) -> list[Operator]:
    """List what one accelerator does outside `step_operators`, once per step.

    Adding positions to the embedding, norms outside the layers, softmax and the choice
    of the next token. The time of an engine per step was fitted to whole servers and
    holds these few kernels, so they have work and bytes here and no seconds of their
    own.

    Parameters
    ----------
    model : ModelSpec
        The model.
    rank : Rank
        The accelerator's share of the step, from `accelerator_rank`.

    Returns
    -------
    list of Operator
        In order of execution.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> shape = StepShape(decode_sequences=1, logit_sequences=1)
    >>> rank = accelerator_rank(LLAMA_3_1_70B, Parallelism(), BF16, shape)
    >>> [op.name for op in readout_operators(LLAMA_3_1_70B, rank)]
    ['final_norm', 'sampling']

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
    """
    hidden = rank.hidden
    listed = []
    if model.positions in _ADDED:  # read the row and the embedding, write their sum
        listed.append(rank.elementwise("positions", 3.0 * hidden))
    if model.embedding_norm_params:
        listed.append(rank.elementwise("embedding_norm", 2.0 * hidden))
    if model.final_norm_params:
        listed.append(rank.elementwise("final_norm", 2.0 * hidden))
    logits = model.vocab_size / rank.tensor
    listed.append(
        rank.elementwise("sampling", logits, tokens=rank.shape.logit_sequences)
    )
    return listed
