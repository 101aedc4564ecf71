"""Floating-point operations of training, under the conventions in use."""

import enum

from dayrate.units import Num

__all__ = ["AttentionCount", "flop_per_token", "mfu", "training_flop"]


class AttentionCount(enum.Enum):
    """How a published MFU counts the score matrix: state it, they differ by 4-9 %."""

    NONE = 0  # "6ND"
    CAUSAL = 6  # the triangle that is computed: Megatron, MaxText
    FULL = 12  # the whole square: PaLM, llm-foundry


#: Forward 2 and backward 4 FLOP per parameter and token; forward again if recomputed.
_MODEL_FLOP, _WITH_RECOMPUTE_FLOP = 6, 8


def flop_per_token(
    *,
    active_params: Num,
    n_layers: Num = 0.0,
    query_width: Num = 0.0,
    sequence_tokens: Num = 0.0,
    attention: AttentionCount = AttentionCount.NONE,
    recompute: bool = False,
) -> Num:
    r"""Operations of one step, forward and backward, per trained token.

    Parameters
    ----------
    active_params : Num
        Parameters that a token passes through. [1]
    n_layers : Num
        Attention layers. [1]
    query_width : Num
        Query heads times head width. [1]
    sequence_tokens : Num
        Training context. [token]
    attention : AttentionCount
        What of the score matrix is counted. [1]
    recompute : bool
        Count the forward pass that full activation checkpointing repeats: the result
        is then hardware FLOP (HFU), not model FLOP (MFU). [1]

    Returns
    -------
    Num
        Operations per token. [FLOP/token]

    Notes
    -----
    .. math:: 6 N + a L d_q s, \qquad a = 0, 6, 12

    and 4/3 of it with full recomputation.

    Examples
    --------
    GPT-3 by "6ND":

    >>> flop_per_token(active_params=175e9)
    1050000000000.0

    References
    ----------
    .. [1] J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020,
       arXiv:2001.08361, section 2.1.
    .. [2] A. Chowdhery et al., "PaLM", 2022, arXiv:2204.02311, appendix B.
    """
    matrices = _MODEL_FLOP * active_params
    scores = attention.value * n_layers * query_width * sequence_tokens
    passes = _WITH_RECOMPUTE_FLOP / _MODEL_FLOP if recompute else 1.0
    return (matrices + scores) * passes


def training_flop(*, flop_per_token: Num, tokens: Num) -> Num:
    """Operations of a whole run.

    Parameters
    ----------
    flop_per_token : Num
        See `flop_per_token`. [FLOP/token]
    tokens : Num
        Tokens trained on, repetitions included. [token]

    Returns
    -------
    Num
        Operations. [FLOP]

    Examples
    --------
    GPT-3, 300 billion tokens:

    >>> training_flop(flop_per_token=6 * 175e9, tokens=300e9)
    3.15e+23

    References
    ----------
    .. [1] T. Brown et al., "Language Models are Few-Shot Learners", 2020,
       arXiv:2005.14165, table D.1.
    """
    return flop_per_token * tokens


def mfu(
    *,
    tokens_per_s_per_accelerator: Num,
    flop_per_token: Num,
    peak_flop_per_s: Num,
) -> Num:
    """Model FLOP utilisation: useful operations over what the silicon could do.

    Parameters
    ----------
    tokens_per_s_per_accelerator : Num
        Measured rate. [token/s]
    flop_per_token : Num
        Under a stated convention. [FLOP/token]
    peak_flop_per_s : Num
        Dense peak of the format that was used. [FLOP/s]

    Returns
    -------
    Num
        Utilisation; HFU if the operations include recomputation. [1]

    Examples
    --------
    MPT-7B on 512 H100, published as 42.2 %:

    >>> work = flop_per_token(
    ...     active_params=6_658_859_008, n_layers=32, query_width=4096,
    ...     sequence_tokens=2048, attention=AttentionCount.FULL)
    >>> round(mfu(tokens_per_s_per_accelerator=9670, flop_per_token=work,
    ...           peak_flop_per_s=989e12), 4)
    0.4221

    References
    ----------
    .. [1] A. Chowdhery et al., "PaLM", 2022, arXiv:2204.02311, appendix B.
    """
    return tokens_per_s_per_accelerator * flop_per_token / peak_flop_per_s
