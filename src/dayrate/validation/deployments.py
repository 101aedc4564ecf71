"""From configurations that share a model and formats to one stacked replica."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate import catalog
from dayrate.catalog.model import Mla, ModelSpec
from dayrate.energy.power import ActivityPower
from dayrate.errors import InvalidInput
from dayrate.perf.deployment import Machine, Parallelism, Precision, machine_of
from dayrate.perf.efficiency import Efficiency, load_efficiency
from dayrate.perf.memory import weight_bytes_per_accelerator
from dayrate.perf.tuning import request_seconds, tuned_efficiency
from dayrate.serving.replica import Engine, Replica, Traffic
from dayrate.serving.speculation import Speculation, top_layer
from dayrate.units import DType
from dayrate.validation.calibration import EngineLimits, engine_limits, setting_of
from dayrate.validation.configuration import Configuration
from dayrate.validation.stacked import (
    StackedLinks,
    stack_efficiencies,
    stack_machines,
)

__all__ = [
    "Deployments",
    "check_formats",
    "group_key",
    "precision_of",
    "repeated",
    "stack",
    "tuned",
]

Floats = npt.NDArray[np.float64]
_SERVER_RANKS = 8
_LEAST_ROOM = 0.05  # of the power of arithmetic, under a power cap
_FLOAT_FORMATS = frozenset({DType.FP8, DType.NVFP4})


@dataclass(frozen=True, slots=True)
class Deployments:
    """Configurations as arrays; rates and counts are of the whole system.

    ``fitting`` sequences have room for their cache in a replica; ``slots`` of them
    the engine admits. Where ``prefill`` computes the prompts, ``replica`` only decodes.
    """

    replica: Replica
    traffic: Traffic
    fitting: Floats
    slots: Floats
    accelerators: Floats
    replicas: Floats
    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    rate: Floats
    requests: Floats
    poll_steps: Floats
    start_s: Floats
    request_s: Floats
    tdp_w: Floats
    power_cap_frac: Floats
    power: ActivityPower
    prefill: "Deployments | None" = None


def group_key(c: Configuration) -> object:
    """Name what configurations must share to be stacked."""
    limits = engine_limits(c.engine, c.engine_version)
    drafts = c.draft_tokens, c.draft_layer
    return c.model, precision_of(c), limits.chunked_prefill, drafts


def tuned(d: Deployments, factor: Mapping[str, Floats]) -> Deployments:
    """Apply factors on times and powers, one of each quantity per configuration.

    A power cap slows arithmetic to what it leaves room for: voltage falls with the
    clock, so power falls as its cube.
    """
    power = ActivityPower(
        **{
            f"{kind}_frac": getattr(d.power, f"{kind}_frac") * factor[f"{kind}_power"]
            for kind in ("idle", "compute", "memory")
        }
    )
    room = (d.power_cap_frac - power.idle_frac) / power.compute_frac
    slowed = np.clip(room, _LEAST_ROOM, 1.0) ** (1.0 / 3.0)
    pace = np.where(d.power_cap_frac < 1.0, slowed, 1.0)
    machine = d.replica.machine
    replica = dataclasses.replace(
        d.replica,
        efficiency=tuned_efficiency(d.replica.efficiency, factor, "tuned"),
        machine=dataclasses.replace(
            machine,
            matmul_flop_per_s=machine.matmul_flop_per_s * pace,
            attention_flop_per_s=machine.attention_flop_per_s * pace,
        ),
    )
    request_s = np.asarray(request_seconds(factor))
    return dataclasses.replace(
        d,
        replica=replica,
        power=power,
        request_s=request_s,
        prefill=None if d.prefill is None else tuned(d.prefill, factor),
    )


def repeated(x: Any, times: int) -> Any:
    """Write every array of a nest of dataclasses several times behind itself."""
    if isinstance(x, np.ndarray):
        return np.tile(x, times)
    if isinstance(x, StackedLinks):
        return x.repeated(times)
    if isinstance(x, Mapping):
        return {key: repeated(value, times) for key, value in x.items()}
    if dataclasses.is_dataclass(x) and not isinstance(x, type | ModelSpec):
        fields = [f.name for f in dataclasses.fields(x)]
        return dataclasses.replace(
            x, **{name: repeated(getattr(x, name), times) for name in fields}
        )
    return x


def precision_of(c: Configuration) -> Precision:
    """Take formats as stated, else the checkpoint's.

    TensorRT-LLM's own published runs with FP8 or FP4 weights keep the cache in FP8;
    closed loops were run on checkpoints as they are, and few of these scale it.
    """
    model = catalog.model(c.model)
    weights = c.weights or model.weights_dtype
    kv, closed_loop = c.kv_cache, c.scenario == "online" and c.request_rate is None
    published = c.engine.startswith("TensorRT-LLM") and not closed_loop
    if kv is None and published and weights in _FLOAT_FORMATS:
        kv = DType.FP8
    return Precision(weights, kv or model.kv_cache_dtype or DType.BF16, DType.BF16)


def stack(members: Sequence[Configuration]) -> Deployments:
    """Stack configurations of one `group_key`, as kernels alone would run them."""
    model, precision = catalog.model(members[0].model), precision_of(members[0])
    parallelism = _parallelism(members, model, precision)
    limits = [_limits(c) for c in members]
    seqs = [c.max_batch or e.max_num_seqs for c, e in zip(members, limits, strict=True)]
    replica = Replica(
        model=model,
        machine=stack_machines(
            [_machine(c.accelerator_id, precision, _peers(c)) for c in members]
        ),
        parallelism=parallelism,
        precision=precision,
        engine=Engine(
            max_num_seqs=_floats(seqs),
            max_num_batched_tokens=_floats([e.max_num_batched_tokens for e in limits]),
            gpu_memory_utilization=_floats([e.gpu_memory_utilization for e in limits]),
            chunked_prefill=limits[0].chunked_prefill,
            submitted_tokens=_floats([e.submitted_tokens for e in limits]),
            free_memory_frac=_floats([e.free_memory_frac for e in limits]),
            speculation=_speculation(members, model),
        ),
        efficiency=stack_efficiencies([_kernels(c) for c in members]),
    )
    traffic = _traffic(members)
    reserves = np.array([e.reserves_output for e in limits])
    fitting = _fitting(replica, traffic, reserves)
    devices = [catalog.accelerator(c.accelerator_id) for c in members]
    accelerators = _floats([c.accelerators for c in members])
    return Deployments(
        replica=replica,
        traffic=traffic,
        fitting=fitting,
        slots=np.minimum(fitting, replica.max_sequences),
        accelerators=accelerators,
        replicas=np.maximum(np.floor(accelerators / parallelism.accelerators), 1.0),
        input_tokens=_floats([c.input_tokens for c in members]),
        output_tokens=_floats([c.output_tokens for c in members]),
        concurrency=_floats([c.concurrency or 1.0 for c in members]),
        rate=_floats([c.request_rate or np.nan for c in members]),
        requests=_floats([c.requests for c in members]),
        start_s=_floats([c.start_s for c in members]),
        poll_steps=_floats([c.launch.poll_steps for c in members]),
        request_s=np.zeros(len(members)),
        tdp_w=_floats([np.nan if d.tdp_w is None else d.tdp_w for d in devices]),
        power_cap_frac=_floats([c.power_cap_frac for c in members]),
        power=ActivityPower(),
    )


def _speculation(
    members: Sequence[Configuration], model: ModelSpec
) -> Speculation | None:
    """Drafts of configurations that draft alike, each with its own acceptance."""
    first = members[0]
    if not first.draft_tokens:
        return None
    return Speculation(
        first.draft_tokens,
        _floats([c.acceptance_frac for c in members]),
        top_layer(model) if first.draft_layer else None,
    )


def _limits(c: Configuration) -> EngineLimits:
    """Limits of the engine, as the benchmark launched it."""
    names = ("max_num_batched_tokens", "gpu_memory_utilization", "free_memory_frac")
    given = {name: getattr(c.launch, name) for name in names}
    return dataclasses.replace(
        engine_limits(c.engine, c.engine_version),
        **{name: value for name, value in given.items() if value is not None},
    )


def _parallelism(
    members: Sequence[Configuration], model: ModelSpec, precision: Precision
) -> Parallelism:
    splits = [_split(c, model, precision) for c in members]
    return Parallelism(
        tensor=_floats([tensor for tensor, _, _ in splits]),
        pipeline=_floats([c.pipeline for c in members]),
        expert=_floats([expert for _, expert, _ in splits]),
        attention_data=_floats([data for _, _, data in splits]),
    )


def _split(
    c: Configuration, model: ModelSpec, precision: Precision
) -> tuple[int, int, int]:
    """Tensor, expert and attention-data ranks as they ran.

    A latent cache cannot be split by heads, so engines run attention data-parallel
    for these models wherever throughput counts: TensorRT-LLM with experts over all
    ranks, and anyone beyond the eight ranks of a server.
    """
    if c.tensor is None:
        return _fewest(c.accelerator_id, c.accelerators, model, precision), 1, 1
    latent = any(isinstance(b.mixer, Mla) for b in model.blocks)
    wide = c.tensor > _SERVER_RANKS
    loaded = c.expert == c.tensor > 1 and c.concurrency is None
    if latent and c.attention_data == 1 and (wide or loaded):
        return 1, c.tensor, c.tensor
    return c.tensor, c.expert, c.attention_data


def _fewest(
    accelerator_id: str, accelerators: int, model: ModelSpec, precision: Precision
) -> int:
    """Fewest tensor ranks, a power of two, that leave a third of memory for cache."""
    hbm_bytes = catalog.accelerator(accelerator_id).hbm_bytes
    ranks = 1
    while ranks * 2 <= accelerators:
        split = Parallelism(tensor=ranks)
        if weight_bytes_per_accelerator(model, split, precision) <= hbm_bytes * 0.6:
            break
        ranks *= 2
    return ranks


def _kernels(c: Configuration) -> Efficiency:
    setting = setting_of(c)
    return load_efficiency(
        setting.accelerator_id, setting.generation, halved_peak=setting.halved
    )


def check_formats(c: Configuration) -> None:
    """Refuse formats that the device has no rate for.

    Raises
    ------
    InvalidInput
        It has none.
    """
    _machine(c.accelerator_id, precision_of(c), _peers(c))


def _peers(c: Configuration) -> bool:
    """NVIDIA publishes TensorRT-LLM from its own servers, with PCIe switches."""
    return c.engine.startswith("TensorRT-LLM")


@functools.cache
def _machine(accelerator_id: str, precision: Precision, peer_access: bool) -> Machine:
    device = catalog.accelerator(accelerator_id)
    try:
        server = catalog.server_for(accelerator_id)
    except InvalidInput:  # in no catalogued server: its own link is all that is known
        return machine_of(
            device, network=device.link, precision=precision, peer_access=peer_access
        )
    return machine_of(
        device,
        network=server.inter_node,
        precision=precision,
        per_server=server.accelerators,
        peer_access=peer_access,
    )


def _traffic(members: Sequence[Configuration]) -> Traffic:
    return Traffic(
        input_tokens=_floats([max(c.input_tokens, 1.0) for c in members]),
        output_tokens=_floats([max(c.output_tokens, 1.0) for c in members]),
        output_cv=_floats([c.output_cv for c in members]),
        tokens_per_step=_floats(
            [1.0 + c.draft_tokens * c.acceptance_frac for c in members]
        ),
    )


def _fitting(
    replica: Replica, traffic: Traffic, reserves: npt.NDArray[np.bool_]
) -> Floats:
    """Sequences whose cache fits; at least one, since the run was published."""
    whole = traffic.input_tokens + traffic.output_tokens
    context = np.where(reserves, whole, traffic.context_tokens)
    fitting: Floats = np.maximum(replica.memory(context).kv_sequences, 1.0)
    return fitting


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=float)
