"""What the step that was just taken here would cost for GPT-3 on A100s."""

from dataclasses import dataclass

from dayrate import catalog
from dayrate.catalog.load import times
from dayrate.catalog.params import active_params
from dayrate.catalog.price import Pricing
from dayrate.catalog.training import training_mfu
from dayrate.evidence import Estimate
from dayrate.measure.train.job import Run
from dayrate.training.flops import AttentionCount, flop_per_token
from dayrate.training.run import accelerator_hours
from dayrate.units import DAY_S, HOUR_S, DType

__all__ = ["Extrapolation", "gpt3_on_a100"]

MODEL, ACCELERATOR = "gpt-3", "a100-sxm-80gb"
RUN_TOKENS, OWN_STEP_TOKENS = 300e9, 3.2e6  # T. Brown et al., 2020, arXiv:2005.14165
CLUSTER = 1024  # accelerators: what published runs of this size used
#: Weights and gradients in 2 bytes, and master weights and two moments in 4 each.
TRAINING_BYTES_PER_PARAM = 16


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """A step, and a run, of another model on other machines.

    Parameters
    ----------
    flop_per_token : float
        Forward and backward, the full score matrix counted. [FLOP/token]
    mfu : Estimate
        Share of the peak that is reached. [1]
    usd_per_accelerator_hour : Estimate
        Rent. [USD/h]
    least_accelerators : int
        As many as hold weights, gradients and optimiser. [1]
    accelerator_seconds : Estimate
        One accelerator's time for as many tokens as the step here had. [s]
    step_usd, own_step_usd, run_usd : Estimate
        That step, one of the model's own, and all of them; the extremes take the worst
        and the best of utilisation and of rent together. [USD]
    run_accelerator_hours : Estimate
        Without restarts and lost work. [h]
    run_days : Estimate
        On `CLUSTER` accelerators. [day]
    """

    model: str
    accelerator: str
    step_tokens: int
    flop_per_token: float
    peak_flop_per_s: float
    mfu: Estimate
    usd_per_accelerator_hour: Estimate
    least_accelerators: int
    accelerator_seconds: Estimate
    step_usd: Estimate
    own_step_usd: Estimate
    run_usd: Estimate
    run_accelerator_hours: Estimate
    run_days: Estimate


def gpt3_on_a100(run: Run) -> Extrapolation:
    """Price the run's step, GPT-3's own step and its whole training."""
    model, device = catalog.model(MODEL), catalog.accelerator(ACCELERATOR)
    mfu = training_mfu(ACCELERATOR)
    price = catalog.price_estimate(ACCELERATOR, Pricing.ON_DEMAND)
    work = flop_per_token(
        active_params=active_params(model),
        n_layers=model.n_layers,
        query_width=model.hidden_size,
        sequence_tokens=model.max_position_embeddings or 2048,
        attention=AttentionCount.FULL,
    )
    peak = device.matmul_flop_per_s(DType.BF16)

    def hours(tokens: float) -> Estimate:
        low, mid, high = (
            float(
                accelerator_hours(
                    flop=work * tokens, peak_flop_per_s=peak, mfu=share, goodput_frac=1
                )
            )
            for share in (mfu.high, mfu.mid, mfu.low)
        )
        return Estimate(low, mid, high, mfu.grade, mfu.source)

    def usd(tokens: float) -> Estimate:
        return times(hours(tokens), price)

    whole = hours(RUN_TOKENS)
    here = run.job.step_tokens
    held = TRAINING_BYTES_PER_PARAM * active_params(model)
    return Extrapolation(
        model=model.id,
        accelerator=device.id,
        step_tokens=here,
        flop_per_token=float(work),
        peak_flop_per_s=peak,
        mfu=mfu,
        usd_per_accelerator_hour=price,
        least_accelerators=int(-(-held // device.hbm_bytes)),
        accelerator_seconds=_scaled(hours(here), HOUR_S),
        step_usd=usd(here),
        own_step_usd=usd(OWN_STEP_TOKENS),
        run_usd=usd(RUN_TOKENS),
        run_accelerator_hours=whole,
        run_days=_scaled(whole, HOUR_S / DAY_S / CLUSTER),
    )


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    low, mid, high = (v * factor for v in (estimate.low, estimate.mid, estimate.high))
    return Estimate(low, mid, high, estimate.grade, estimate.source)
