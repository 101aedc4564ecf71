"""Every way of spreading one replica that is worth a look."""

import itertools
from collections.abc import Iterator

import numpy as np

from dayrate.catalog.hardware import Server
from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.perf.deployment import Parallelism
from dayrate.scenario.schema import DeploymentSection

__all__ = ["check_split", "splits"]

MAX_STAGES = 8
WIDE_SERVERS = (1, 2, 4, 8, 16)  # of a wide expert-parallel replica

Split = tuple[int, int, int]  # tensor, pipeline, data


def splits(section: DeploymentSection, model: ModelSpec, server: Server) -> Parallelism:
    """Candidate replicas as one `Parallelism` of arrays.

    Dense layers are split over one server, then over servers by stages. A mixture of
    experts may also give every accelerator its own sequences and share the experts
    over all of them, as DeepSeek serves V3. What the scenario fixes stays fixed.
    """
    check_split(section, model)
    rows = list(_candidates(section, model, server))
    if section.accelerators is not None:
        held = [s for s in rows if s[0] * s[1] * s[2] <= section.accelerators]
        rows = held or rows[:1]
    tensor, pipeline, data = np.asarray(rows, dtype=float).T
    shared = model.is_moe and (data > 1) & (section.enable_expert_parallel is not False)
    expert = shared | np.asarray(section.enable_expert_parallel is True)
    return Parallelism(tensor, pipeline, np.where(expert, tensor * data, 1.0), data)


def _candidates(
    section: DeploymentSection, model: ModelSpec, server: Server
) -> Iterator[Split]:
    size = max(int(server.accelerators), 1)
    tensors = [2**i for i in range(size.bit_length()) if 2**i <= size]
    tensors = [t for t in tensors if _divides_heads(model, t)] or [1]
    stages = [p for p in range(1, MAX_STAGES + 1) if p <= model.n_layers]
    wide = model.is_moe and section.enable_expert_parallel is not False
    ranks = [1, *(size * k for k in WIDE_SERVERS if wide and size * k > 1)]
    given = section
    for t, p, d in itertools.product(
        [given.tensor_parallel_size] if given.tensor_parallel_size else tensors,
        [given.pipeline_parallel_size] if given.pipeline_parallel_size else stages,
        [given.data_parallel_size] if given.data_parallel_size else ranks,
    ):
        staged = p > 1 and given.pipeline_parallel_size is None
        spread = d > 1 and given.data_parallel_size is None
        if staged and (d > 1 or (t < tensors[-1] and not given.tensor_parallel_size)):
            continue
        if spread and t > 1 and given.tensor_parallel_size is None:
            continue
        yield t, p, d


def check_split(section: DeploymentSection, model: ModelSpec) -> None:
    """Refuse a given split that no engine runs."""
    tensor, stages = section.tensor_parallel_size, section.pipeline_parallel_size
    if tensor is not None and not _divides_heads(model, tensor):
        raise InvalidInput(
            f"--tensor-parallel-size is {tensor} and does not divide the attention "
            f"heads of {model.id} ({_heads(model)}). Give a divisor of them."
        )
    if stages is not None and stages > model.n_layers:
        raise InvalidInput(
            f"--pipeline-parallel-size is {stages} and {model.id} has "
            f"{model.n_layers} layers. Give at most that many."
        )
    if section.enable_expert_parallel and not model.is_moe:
        raise InvalidInput(
            f"--enable-expert-parallel is given and {model.id} has no experts. "
            "Leave it out."
        )


def _heads(model: ModelSpec) -> str:
    heads = {getattr(b.mixer, "n_heads", None) for b in model.blocks}
    return ", ".join(str(n) for n in sorted(n for n in heads if n))


def _divides_heads(model: ModelSpec, tensor: int) -> bool:
    heads = (getattr(b.mixer, "n_heads", None) for b in model.blocks)
    return all(n % tensor == 0 for n in heads if n)
