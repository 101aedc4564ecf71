"""From names to objects: model, machine, demand, formats, targets, engine."""

import dataclasses
from dataclasses import dataclass

from dayrate import catalog
from dayrate.catalog.hardware import Accelerator, Server
from dayrate.catalog.local import is_local, local_host_row
from dayrate.catalog.model import ModelSpec
from dayrate.catalog.params import active_params, total_params
from dayrate.compose.speculation import speculation_of
from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.perf.deployment import Machine, Precision, machine_of
from dayrate.perf.efficiency import Efficiency
from dayrate.perf.engines import DEFAULT_ENGINE, ServedBy, served_by
from dayrate.perf.memory import kv_bytes_per_token
from dayrate.perf.tuning import (
    Setting,
    calibrated_efficiency,
    calibrated_request_s,
    setting_for,
)
from dayrate.scenario.schema import Scenario, WorkloadSection
from dayrate.scenario.working import Working
from dayrate.serving.replica import Engine, Slo, Traffic
from dayrate.serving.speculation import Speculation
from dayrate.units import GB, GIB, TERA, DType
from dayrate.workload.build import DemandInput, build_workload
from dayrate.workload.demand import Workload

__all__ = [
    "Resolved",
    "accelerator_of",
    "engine_of",
    "model_of",
    "precision_of",
    "resolve",
]

DEFAULT_ACCELERATOR = "h100-sxm-80gb"
DEFAULT_PRESET = "chat"
#: Latency limits of MLPerf's Llama 2 70B server scenario, taken where none are given.
DEFAULT_TTFT_MS, DEFAULT_TPOT_MS = 2000.0, 200.0
MLPERF = "MLPerf Inference v4.0, Llama 2 70B server: 2 s and 200 ms; set --ttft, --tpot"


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything the physics needs, still free of a choice of parallelism."""

    model: ModelSpec
    accelerator: Accelerator
    server: Server
    machine: Machine
    efficiency: Efficiency
    precision: Precision
    served_by: ServedBy
    engine: Engine
    workload: Workload
    traffic: Traffic
    slo: Slo
    slo_given: bool

    @property
    def slo_source(self) -> str:
        """Who set the targets."""
        return "the scenario" if self.slo_given else MLPERF


def resolve(scenario: Scenario, w: Working) -> Resolved:
    """Look every name up and write down what was found, given or chosen."""
    model = model_of(scenario, w)
    _check_generates(model)
    accelerator = accelerator_of(scenario, w)
    server = catalog.server_for(accelerator.id)
    workload = _workload(scenario, w)
    precision = precision_of(scenario, model, accelerator, w)
    _check_context(scenario, model, workload)
    slo, slo_given = _targets(scenario)
    served = engine_of(scenario, accelerator, w)
    setting = setting_for(
        accelerator, model, precision.weights, served.era, precision.kv_cache
    )
    efficiency = calibrated_efficiency(setting)
    speculation = speculation_of(scenario.deployment, model, w)
    w.choice(
        "perf.calibration",
        efficiency.level,
        given=None,
        why=why_calibrated(accelerator, served),
        grade=Grade.ASSUMED if efficiency.level == "default" else Grade.FITTED,
    )
    return Resolved(
        model=model,
        accelerator=accelerator,
        server=server,
        machine=machine_of(
            accelerator,
            network=server.inter_node,
            precision=precision,
            per_server=server.accelerators,
        ),
        efficiency=efficiency,
        precision=precision,
        served_by=served,
        engine=_engine(
            scenario, accelerator, served, setting, w, speculation=speculation
        ),
        workload=workload,
        traffic=_traffic(workload, speculation),
        slo=slo,
        slo_given=slo_given,
    )


def engine_of(scenario: Scenario, accelerator: Accelerator, w: Working) -> ServedBy:
    """Take the engine asked for, else the usual one.

    Raises
    ------
    InvalidInput
        One is asked for and the accelerator was calibrated here, with its own.
    """
    asked = scenario.deployment.engine
    if is_local(accelerator.id):
        own = local_host_row(accelerator.id)["engine"]
        if asked is not None:
            raise InvalidInput(
                f"{accelerator.id} was calibrated with {own}, which its figures hold "
                "for. Leave out --engine, or calibrate it again with another."
            )
        usual = served_by(DEFAULT_ENGINE)
        return dataclasses.replace(usual, id=own, name=own)
    found = served_by(asked or DEFAULT_ENGINE)
    w.choice(
        "deployment.engine",
        found.id,
        given=asked,
        why="the most used engine; set --engine",
    )
    return found


def why_calibrated(accelerator: Accelerator, served: ServedBy) -> str:
    """Say what the calibration of an accelerator rests on."""
    if is_local(accelerator.id):
        host = local_host_row(accelerator.id)
        return f"`dayrate measure calibrate` on {host['date']} with {host['engine']}"
    return (
        f"kernel timings and published servers with {served.name}: of this "
        "accelerator, its generation, or the default"
    )


def model_of(scenario: Scenario, w: Working) -> ModelSpec:
    """Look the model up, and write down how large it is."""
    name = scenario.model.id
    if name is None:
        raise InvalidInput(
            "No model is given. Give --model with a catalogue id or the path of a "
            "config.json; `dayrate catalog models` lists the ids."
        )
    model = catalog.model(name)
    w.choice("model.id", model.id, given=name, why="")
    source = str(model.source or "its config.json")
    for line, count in (
        ("model.total_params", total_params(model)),
        ("model.active_params", active_params(model)),
    ):
        w.fact(line, float(count), "1", grade=Grade.CITED, source=f"from {source}")
    return model


def accelerator_of(scenario: Scenario, w: Working) -> Accelerator:
    """Look the accelerator up, or take the usual one, and write its figures down."""
    name = scenario.deployment.accelerator
    found = catalog.accelerator(DEFAULT_ACCELERATOR if name is None else name)
    w.choice(
        "deployment.accelerator",
        found.id,
        given=name,
        why="a widely rented accelerator; set --accelerator",
    )
    source = found.source
    for dtype in (DType.BF16, DType.FP16, DType.FP8):
        if dtype in found.peak_flop_per_s:
            peak = found.peak_flop_per_s[dtype] / TERA
            w.cited(f"accelerator.{dtype.value}_tflop_per_s", peak, "TFLOP/s", source)
    w.cited("accelerator.hbm_gb_per_s", found.hbm_bytes_per_s / GB, "GB/s", source)
    w.cited("accelerator.hbm_gib", found.hbm_bytes / GIB, "GiB", source)
    return found


def _workload(scenario: Scenario, w: Working) -> Workload:
    section = scenario.workload
    preset = section.preset
    if not _says_lengths(section):
        preset = w.choice(
            "workload.preset",
            DEFAULT_PRESET if preset is None else preset,
            given=preset,
            why="no lengths were given; set --preset, --trace, or --isl and --osl",
        )
    elif preset is not None:
        w.choice("workload.preset", preset, given=preset, why="")
    demand = DemandInput(
        preset=preset,
        trace_path=section.trace,
        trace_model=section.trace_model,
        users=section.users,
        requests_per_user_per_day=section.requests_per_user,
        requests_per_day=section.requests_per_day,
        isl=section.isl,
        osl=section.osl,
        cached_input_frac=section.cached_input_frac,
        day_shape=section.day_shape,
        input_tokens_per_day=section.input_tokens_per_day,
        cached_input_tokens_per_day=section.cached_input_tokens_per_day,
        output_tokens_per_day=section.output_tokens_per_day,
    )
    workload = build_workload(demand)
    w.ledger = w.ledger.update(workload.evidence)
    return workload


def _says_lengths(section: WorkloadSection) -> bool:
    lengths = (section.trace, section.isl, section.osl, section.input_tokens_per_day)
    return any(x is not None for x in (*lengths, section.output_tokens_per_day))


def precision_of(
    scenario: Scenario, model: ModelSpec, accelerator: Accelerator | None, w: Working
) -> Precision:
    """Take the formats asked for, else those in which engines serve the checkpoint."""
    bf16 = accelerator is None or DType.BF16 in accelerator.peak_flop_per_s
    sixteen = DType.BF16 if bf16 else DType.FP16
    asked = scenario.model.quantization
    # Engines halve a checkpoint of 32 bits: vLLM's --dtype auto.
    plain = model.weights_dtype in {DType.BF16, DType.FP16, DType.FP32}
    weights = asked or (sixteen if plain else model.weights_dtype)
    kv_cache = scenario.model.kv_cache_dtype or sixteen
    w.choice(
        "deployment.weights_dtype",
        weights.value,
        given=asked,
        why="the format the checkpoint is published in; set --quantization"
        if weights is model.weights_dtype
        else "the 16 bits in which engines serve this checkpoint; set --quantization",
        grade=Grade.CITED,
    )
    w.choice(
        "deployment.kv_cache_dtype",
        kv_cache.value,
        given=scenario.model.kv_cache_dtype,
        why="the default of engines, the format of the activations; set "
        "--kv-cache-dtype",
    )
    w.fact(
        "model.kv_bytes_per_token",
        kv_bytes_per_token(model, kv_cache),
        "B/token",
        grade=Grade.CITED,
        source="from its config: keys and values of all layers",
    )
    return Precision(weights=weights, kv_cache=kv_cache, activations=sixteen)


def _check_generates(model: ModelSpec) -> None:
    if model.is_encoder:
        raise InvalidInput(
            f"{model.id} reads text and writes none, so there is no output to price. "
            f"`dayrate anatomy {model.id}` shows what one pass of it takes."
        )


def _check_context(scenario: Scenario, model: ModelSpec, workload: Workload) -> None:
    asked, limit = scenario.model.max_model_len, model.max_position_embeddings
    if asked is not None and limit is not None and asked > limit:
        raise InvalidInput(
            f"--max-model-len is {asked} and {model.id} has {limit} positions. "
            f"Give at most {limit}."
        )
    longest = asked or limit
    sides = (workload.input_length.mean_tokens, workload.output_length.mean_tokens)
    # An encoder holds the input and a decoder the output, each within the limit.
    apart = model.is_encoder_decoder
    mean = max(sides) if apart else sum(sides)
    if longest is not None and mean > longest:
        held = "input or output" if apart else "input and output"
        raise InvalidInput(
            f"A request of {mean:.6g} tokens ({held}) exceeds the "
            f"{longest} that {model.id} may hold. Give shorter --isl and --osl"
            + (", a longer --max-model-len," if asked else "")
            + " or another --model."
        )


def _engine(
    scenario: Scenario,
    accelerator: Accelerator,
    served: ServedBy,
    setting: Setting,
    w: Working,
    *,
    speculation: Speculation | None,
) -> Engine:
    """Take the limits that the engine takes by itself on such a device."""
    section = scenario.deployment
    seqs, tokens, why = _usual_limits(accelerator, served)
    memory = w.assumed(
        "deployment.gpu_memory_utilization",
        section.gpu_memory_utilization,
        "1",
        default=served.gpu_memory_utilization,
        why=f"{served.name}'s default",
    )
    return Engine(
        max_num_seqs=w.assumed(
            "deployment.max_num_seqs", section.max_num_seqs, "1", default=seqs, why=why
        ),
        max_num_batched_tokens=w.assumed(
            "deployment.max_num_batched_tokens",
            section.max_num_batched_tokens,
            "token",
            default=tokens,
            why=why,
        ),
        gpu_memory_utilization=memory,
        chunked_prefill=served.chunked_prefill,
        submitted_tokens=served.submitted_tokens,
        free_memory_frac=served.free_memory_frac,
        reserves_output=served.reserves_output,
        request_s=calibrated_request_s(setting),
        speculation=speculation,
    )


def _usual_limits(accelerator: Accelerator, served: ServedBy) -> tuple[int, int, str]:
    """Sequences and tokens of a step that an engine takes on such a device."""
    if is_local(accelerator.id):
        host = local_host_row(accelerator.id)
        seqs, tokens = host["max_num_seqs"], host["max_num_batched_tokens"]
        return seqs, tokens, "as `dayrate measure calibrate` ran it"
    if served.id != DEFAULT_ENGINE:
        seqs, tokens = served.max_num_seqs, served.max_num_batched_tokens
        return seqs, tokens, f"{served.name}'s default"
    large = accelerator.hbm_bytes >= 70 * GIB and "a100" not in accelerator.id
    seqs, tokens = (1024, 8192) if large else (256, 2048)
    return seqs, tokens, "vLLM V1's default for an API server on such a device"


def _traffic(workload: Workload, speculation: Speculation | None) -> Traffic:
    return Traffic(
        input_tokens=workload.input_length.mean_tokens,
        output_tokens=workload.output_length.mean_tokens,
        cached_input_frac=workload.cached_input_frac,
        input_tokens_p95=workload.input_length.quantile(0.95),
        output_cv=workload.output_length.cv,
        input_cv=workload.input_length.cv,
        tokens_per_step=1.0 if speculation is None else speculation.tokens_per_step,
    )


def _targets(scenario: Scenario) -> tuple[Slo, bool]:
    """Take the targets given, one or both; with neither, MLPerf's."""
    section = scenario.slo
    quantile = section.percentile / 100
    if section.ttft_ms is None and section.tpot_ms is None:
        return Slo(DEFAULT_TTFT_MS / 1e3, DEFAULT_TPOT_MS / 1e3, quantile), False
    ttft_s, tpot_s = (
        float("inf") if ms is None else ms / 1e3
        for ms in (section.ttft_ms, section.tpot_ms)
    )
    return Slo(ttft_s, tpot_s, quantile), True
