"""From configurations that share a model and formats to one stacked replica."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate import catalog
from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.energy.power import ActivityPower
from dayrate.perf.deployment import Machine, Parallelism, Precision, machine_of
from dayrate.serving.replica import Engine, Replica, Traffic
from dayrate.units import DType
from dayrate.validation.calibration import Calibration
from dayrate.validation.configuration import Configuration
from dayrate.validation.stacked import stack_efficiencies, stack_machines

__all__ = ["Deployments", "group_key", "precision_of", "stack"]

Floats = npt.NDArray[np.float64]
_FLOAT_FORMATS = frozenset({DType.FP8, DType.NVFP4})


@dataclass(frozen=True, slots=True)
class Deployments:
    """Configurations as arrays; rates and counts are of the whole system.

    ``fitting`` sequences have room for their cache in a replica; ``slots`` of them
    the engine admits.
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
    tdp_w: Floats
    power: ActivityPower


def group_key(c: Configuration, calibration: Calibration) -> object:
    """What configurations must share to be stacked."""
    limits = calibration.limits(c)
    return c.model, precision_of(c), limits.chunked_prefill


def precision_of(c: Configuration) -> Precision:
    """Formats as stated, else the checkpoint's.

    TensorRT-LLM's published runs with FP8 or FP4 weights keep the cache in FP8.
    """
    model = catalog.model(c.model)
    weights = c.weights or model.weights_dtype
    kv = c.kv_cache
    if kv is None and c.engine.startswith("TensorRT-LLM") and weights in _FLOAT_FORMATS:
        kv = DType.FP8
    return Precision(weights, kv or model.kv_cache_dtype or DType.BF16, DType.BF16)


def stack(members: Sequence[Configuration], calibration: Calibration) -> Deployments:
    """Stack configurations of one `group_key`."""
    model, precision = catalog.model(members[0].model), precision_of(members[0])
    parallelism = _parallelism(members, model, precision)
    limits = [calibration.limits(c) for c in members]
    seqs = [c.max_batch or e.max_num_seqs for c, e in zip(members, limits, strict=True)]
    replica = Replica(
        model=model,
        machine=stack_machines([_machine(c.accelerator_id, precision) for c in members]),
        parallelism=parallelism,
        precision=precision,
        engine=Engine(
            max_num_seqs=_floats(seqs),
            max_num_batched_tokens=_floats([e.max_num_batched_tokens for e in limits]),
            gpu_memory_utilization=_floats([e.gpu_memory_utilization for e in limits]),
            chunked_prefill=limits[0].chunked_prefill,
        ),
        efficiency=stack_efficiencies([calibration.efficiency(c) for c in members]),
    )
    traffic = _traffic(members)
    reserves = np.array([e.reserves_output for e in limits])
    fitting = _fitting(replica, traffic, reserves)
    devices = [catalog.accelerator(c.accelerator_id) for c in members]
    accelerators = _floats([c.accelerators for c in members])
    powers = [calibration.power(c) for c in members]
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
        tdp_w=_floats([np.nan if d.tdp_w is None else d.tdp_w for d in devices]),
        power=ActivityPower(
            *(
                _floats([getattr(p, f.name) for p in powers])
                for f in dataclasses.fields(ActivityPower)
            )
        ),
    )


def _parallelism(
    members: Sequence[Configuration], model: ModelSpec, precision: Precision
) -> Parallelism:
    tensor = [
        c.tensor or _fewest(c.accelerator_id, c.accelerators, model, precision)
        for c in members
    ]
    return Parallelism(
        tensor=_floats(tensor),
        pipeline=_floats([c.pipeline for c in members]),
        expert=_floats([c.expert for c in members]),
        attention_data=_floats([c.attention_data for c in members]),
    )


def _fewest(
    accelerator_id: str, accelerators: int, model: ModelSpec, precision: Precision
) -> int:
    """Fewest tensor ranks, a power of two, that leave a third of memory for cache."""
    from dayrate.perf.memory import weight_bytes_per_accelerator  # noqa: PLC0415

    hbm_bytes = catalog.accelerator(accelerator_id).hbm_bytes
    ranks = 1
    while ranks * 2 <= accelerators:
        split = Parallelism(tensor=ranks)
        if weight_bytes_per_accelerator(model, split, precision) <= hbm_bytes * 0.6:
            break
        ranks *= 2
    return ranks


@functools.cache
def _machine(accelerator_id: str, precision: Precision) -> Machine:
    device = catalog.accelerator(accelerator_id)
    try:
        server = catalog.server_for(accelerator_id)
    except InvalidInput:  # in no catalogued server: its own link is all that is known
        return machine_of(device, network=device.link, precision=precision)
    return machine_of(
        device,
        network=server.inter_node,
        precision=precision,
        per_server=server.accelerators,
    )


def _traffic(members: Sequence[Configuration]) -> Traffic:
    return Traffic(
        input_tokens=_floats([max(c.input_tokens, 1.0) for c in members]),
        output_tokens=_floats([max(c.output_tokens, 1.0) for c in members]),
        output_cv=_floats([c.output_cv for c in members]),
    )


def _fitting(replica: Replica, traffic: Traffic, reserves: npt.NDArray[np.bool_]) -> Floats:
    """Sequences whose cache fits; at least one, since the run was published."""
    whole = traffic.input_tokens + traffic.output_tokens
    context = np.where(reserves, whole, traffic.context_tokens)
    return np.maximum(np.asarray(replica.memory(context).kv_sequences), 1.0)


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=float)
