"""What was measured, without the result: all that a prediction may know."""

from dataclasses import dataclass

from dayrate.units import DType
from dayrate.validation.launch import DEFAULTS, Launch

__all__ = ["METRICS", "Configuration", "Split", "Workers"]

#: Metrics that can be predicted, as the tables name them.
METRICS = (
    "output_tokens_per_s",
    "total_tokens_per_s",
    "requests_per_s",
    "ttft_ms",
    "tpot_ms",
    "e2e_latency_s",
    "avg_power_w",
    "energy_per_output_token_j",
)


@dataclass(frozen=True, slots=True)
class Workers:
    """Like engines that share a pool's work.

    Parameters
    ----------
    count : int
        Workers. [1]
    ranks : int
        Accelerators of each; experts are over all of them. [1]
    attention_data : bool
        Whether each rank runs attention for its own sequences.
    max_tokens : float or None
        Of a step, for each attention-data rank; None: the engine's. [token]
    max_batch : float or None
        Sequences, for each attention-data rank; None: the engine's. [1]
    """

    count: int
    ranks: int
    attention_data: bool
    max_tokens: float | None = None
    max_batch: float | None = None

    @property
    def accelerators(self) -> int:
        """Accelerators of the pool. [1]"""
        return self.count * self.ranks


@dataclass(frozen=True, slots=True)
class Split:
    """Who computes prompts and who writes answers."""

    prefill: Workers
    decode: Workers


@dataclass(frozen=True, slots=True)
class Configuration:
    """One measured setting; None is what the source does not say.

    Parameters
    ----------
    accelerators : int
        In the whole system; several replicas where one takes fewer. [1]
    tensor : int or None
        None: the fewest that hold the model.
    concurrency : float or None
        Requests in flight of a closed loop, or sequences of a static batch. [1]
    request_rate : float or None
        Offered rate; infinite when all requests are queued at once. [1/s]
    requests : float
        Requests of the whole run; infinite where unknown. [1]
    max_batch : float or None
        Limit on sequences that the source states. [1]
    output_cv : float
        Standard deviation over mean of the output length. [1]
    power_cap_frac : float
        Share of rated power that the device may draw. [1]
    start_s : float
        Start-up that the time of a static batch includes. [s]
    draft_tokens : int
        Drafted for each sequence and step; 0 without speculative decoding. [token]
    acceptance_frac : float
        Share of them that is confirmed. [1]
    draft_layer : bool
        Whether a layer of the model drafts; else a look-up, which takes no time.
    launch : Launch
        What the benchmark's own scripts set, where they are public.
    prefill_apart : bool
        Whether some accelerators only compute prompts and the others only decode;
        ``tensor``, ``expert`` and ``attention_data`` are of nothing then.
    prefill_accelerators : int or None
        How many compute prompts, where the source says that. [1]
    split : Split or None
        How the accelerators are divided, where that is published.
    """

    model: str
    accelerator_id: str
    accelerators: int
    tensor: int | None
    pipeline: int
    expert: int
    attention_data: int
    weights: DType | None
    kv_cache: DType | None
    engine: str
    engine_version: str
    scenario: str
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    request_rate: float | None
    requests: float
    max_batch: float | None
    output_cv: float
    power_cap_frac: float
    start_s: float = 0.0
    draft_tokens: int = 0
    acceptance_frac: float = 0.0
    draft_layer: bool = False
    launch: Launch = DEFAULTS
    prefill_apart: bool = False
    prefill_accelerators: int | None = None
    split: Split | None = None
