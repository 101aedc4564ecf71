"""The physics behind a replica, written down: its memory and one step of decoding."""

from dayrate.compose.deploy import Plan
from dayrate.compose.resolve import Resolved
from dayrate.evidence import Grade
from dayrate.perf.operators import StepShape
from dayrate.scenario.working import Working
from dayrate.serving.steady import OperatingPoint
from dayrate.units import GIB

__all__ = ["write_memory", "write_step"]

_MS = 1e3
_PARTS = ("compute", "memory", "collective", "overhead")


def write_memory(r: Resolved, plan: Plan, w: Working) -> None:
    """Write how an accelerator's memory is shared and how many sequences that holds."""
    m = plan.replica.memory(plan.replica.kept_tokens(r.traffic))
    engine = plan.replica.engine
    used_bytes = r.machine.hbm_bytes * engine.gpu_memory_utilization
    used = "deployment.gpu_memory_utilization * accelerator.hbm_gib"
    w.derive("memory.usable_gib", float(used_bytes) / GIB, "GiB", used)
    for name, size, grade, how in (
        ("weights", m.weight_bytes, Grade.CITED, "from its config and the split"),
        ("sequence", m.sequence_bytes, Grade.CITED, "from its config and the lengths"),
        ("workspace", m.workspace_bytes, Grade.FITTED, "activations, logits, runtime"),
    ):
        gib = float(size) / GIB
        w.fact(f"memory.{name}_gib", gib, "GiB", grade=grade, source=how)
    room = "max(memory.usable_gib - memory.weights_gib - memory.workspace_gib, 0)"
    if engine.free_memory_frac != 1.0:
        share, why = float(engine.free_memory_frac), f"{r.served_by.name}'s default"
        w.assumed("deployment.free_memory_frac", None, "1", default=share, why=why)
        room = f"deployment.free_memory_frac * {room}"
    w.derive("memory.cache_gib", float(m.cache_bytes) / GIB, "GiB", room)
    w.derive(
        "serving.kv_sequences",
        float(m.kv_sequences),
        "1",
        "deployment.data_parallel_size * memory.cache_gib / memory.sequence_gib",
    )


def write_step(r: Resolved, plan: Plan, point: OperatingPoint, w: Working) -> None:
    """Write the parts of one step that decodes the batch of the peak."""
    batch = float(point.batch)
    step = plan.replica.step(
        StepShape(
            decode_sequences=batch,
            decode_context_tokens=float(r.traffic.context_tokens),
            logit_sequences=batch,
        )
    )
    slowest = sorted(step.by_operator_s, key=lambda n: -float(step.by_operator_s[n]))
    for part in _PARTS:
        seconds = float(getattr(step, f"{part}_s"))
        w.solved(f"perf.{part}_ms", seconds * _MS, "ms", _MEANING[part])
    w.derive(
        "perf.decode_step_ms",
        float(step.total_s) * _MS,
        "ms",
        " + ".join(f"perf.{part}_ms" for part in _PARTS),
        why=f"one token for each of {batch:.1f} sequences; slowest: "
        + ", ".join(
            f"{n} {float(step.by_operator_s[n]) * _MS:.2f} ms" for n in slowest[:3]
        ),
    )


_MEANING = {
    "compute": "operators that arithmetic bounds: FLOP over peak and efficiency",
    "memory": "operators that bandwidth bounds: bytes over bandwidth and efficiency",
    "collective": "exchange between the accelerators of the replica",
    "overhead": "launches of kernels and the engine's own work",
}
