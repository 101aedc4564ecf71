"""Operators of feed-forward parts: dense, gated, and mixtures of experts."""

import numpy as np

from dayrate.catalog.model import Mlp, Moe
from dayrate.perf.operators import Operator, Rank
from dayrate.units import Num

__all__ = ["distinct_experts", "feed_forward_operators"]


def distinct_experts(*, n_experts: Num, experts_per_token: Num, tokens: Num) -> Num:
    r"""Experts that at least one of ``tokens`` tokens is routed to, on average.

    Parameters
    ----------
    n_experts : Num
        Routed experts of the layer. [1]
    experts_per_token : Num
        Experts that each token visits. [1]
    tokens : Num
        Tokens of the step. [token]

    Returns
    -------
    Num
        Experts whose weights must be read. [1]

    Notes
    -----
    .. math:: E\,(1 - (1 - k/E)^B)

    for uniform, independent routing. Real routing is skewed, which touches fewer
    experts and loads some of them more.

    Examples
    --------
    >>> n = distinct_experts(n_experts=256, experts_per_token=8, tokens=128)
    >>> round(float(n))
    252

    References
    ----------
    .. [1] Occupancy of E boxes by B draws of k distinct ones: W. Feller,
       "An Introduction to Probability Theory and Its Applications", vol. 1, ch. IV.
    """
    missed_frac = np.minimum(1.0 - experts_per_token / n_experts, 1.0)
    missed: Num = missed_frac ** np.asarray(tokens, dtype=float)
    return n_experts * (1.0 - missed)


def feed_forward_operators(mlp: Mlp | Moe, rank: Rank) -> list[Operator]:
    """List what one layer's feed-forward part executes on one accelerator.

    Parameters
    ----------
    mlp : Mlp or Moe
        The part.
    rank : Rank
        The accelerator's share of the step.

    Returns
    -------
    list of Operator
        In order of execution, for one layer.

    Examples
    --------
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import Formats, Rank, StepShape
    >>> from dayrate.units import DType
    >>> fmt = Formats(*[DType.BF16] * 6)
    >>> rank = Rank(4096, Parallelism(), fmt, StepShape(decode_sequences=1), 1)
    >>> up, _, down = feed_forward_operators(Mlp(14336), rank)
    >>> (up.flop + down.flop) / 2 == 3 * 4096 * 14336
    True

    References
    ----------
    .. [1] N. Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202.
    .. [2] W. Fedus et al., "Switch Transformers", 2021, arXiv:2101.03961.
    """
    if isinstance(mlp, Mlp):
        return _dense(rank, mlp.intermediate_size, gated=mlp.gated)
    shared = mlp.shared_intermediate_size
    return [
        rank.gemm(
            "router", rank.hidden, mlp.n_experts, weights=rank.formats.unquantized
        ),
        *(_dense(rank, shared, gated=mlp.gated, prefix="shared_") if shared else []),
        *_routed(mlp, rank),
    ]


def _dense(
    rank: Rank, intermediate: int, *, gated: bool, prefix: str = "mlp_"
) -> list[Operator]:
    width = intermediate / rank.tensor
    up = 2 if gated else 1
    return [
        rank.gemm(f"{prefix}up", rank.hidden, up * width),
        rank.elementwise(f"{prefix}activation", (up + 1) * width),
        rank.gemm(f"{prefix}down", width, rank.hidden),
    ]


def _routed(moe: Moe, rank: Rank) -> list[Operator]:
    size = moe.latent_size or rank.hidden
    up = 2 if moe.gated else 1
    width = moe.intermediate_size
    latent = [
        rank.gemm("experts_latent_down", rank.hidden, size),
        rank.gemm("experts_latent_up", size, rank.hidden),
    ]
    visits = rank.routed_tokens * moe.experts_per_token / rank.expert_shards
    moved = visits * (up + 1) * width
    return [
        *(latent if moe.latent_size else []),
        _expert_gemm("experts_up", size, up * width, moe, rank),
        _expert_activation(moved, rank),
        _expert_gemm("experts_down", width, size, moe, rank),
    ]


def _expert_gemm(name: str, k: int, n: int, moe: Moe, rank: Rank) -> Operator:
    """Group the products: a touched expert is read once, split over all shards."""
    touched = distinct_experts(
        n_experts=moe.n_experts,
        experts_per_token=moe.experts_per_token,
        tokens=rank.routed_tokens,
    )
    visits = rank.routed_tokens * moe.experts_per_token
    one = rank.gemm(name, k, n, weights=rank.formats.experts, tokens=visits)
    shards = rank.expert_shards
    return Operator(
        name=name,
        kind=one.kind,
        dtype=one.dtype,
        flop=one.flop / shards,
        weight_bytes=one.weight_bytes * touched / shards,
        activation_bytes=one.activation_bytes / shards,
        m_tokens=visits / np.maximum(touched, 1.0),
        sides=one.sides,
    )


def _expert_activation(values: Num, rank: Rank) -> Operator:
    tokens = np.maximum(rank.shape.tokens, 1e-12)
    return rank.elementwise("experts_activation", values / tokens)
