"""What comes out of a simulation: each request's fate, and the replicas over time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Simulation", "Timeline"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The state of all replicas at regular times."""

    time_s: Floats
    running: Ints
    waiting: Ints
    kv_used_blocks: Ints
    kv_cached_blocks: Ints


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of each request, in the order given; times are NaN where it has none.

    ``status`` holds `core.WAITING`, ``RUNNING``, ``DONE``, ``TOO_LONG``, ``REJECTED``
    or ``TIMED_OUT``.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    start_s: Floats
    first_s: Floats
    done_s: Floats
    status: Ints
    preemptions: Ints
    hit_tokens: Ints
    replica: Ints
    busy_s: Floats  # by replica
    steps: Ints  # by replica
    end_s: float
    timeline: Timeline
