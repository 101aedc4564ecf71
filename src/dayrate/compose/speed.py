"""What the plan comes to: the deployment and the speed that a user sees."""

import math

from dayrate.catalog.price import Pricing
from dayrate.compose.deploy import Plan
from dayrate.compose.physics import write_memory, write_step
from dayrate.compose.resolve import Resolved
from dayrate.evidence import Grade
from dayrate.scenario.result import Deployment, Serving
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.steady import OperatingPoint, operating_point

__all__ = ["PEAK", "deployment_of", "serving_at_peak", "write_speed"]

PEAK = "steady state of one replica at the busiest ten minutes of the day"


def serving_at_peak(
    scenario: Scenario, r: Resolved, plan: Plan, w: Working
) -> tuple[Serving, OperatingPoint]:
    """Steady state of one replica in the busiest ten minutes of the day."""
    per_replica = plan.demand.peak_per_s / plan.replicas
    point = operating_point(
        plan.replica, r.traffic, per_replica, quantile=r.slo.quantile
    )
    serving = _serving(scenario, r, plan, point)
    write_memory(r, plan, w)
    write_step(r, plan, point, w)
    write_speed(serving, w)
    return serving, point


def deployment_of(r: Resolved, plan: Plan, pricing: Pricing) -> Deployment:
    """Name the machines and the split."""
    p, engine, drafts = plan.replica.parallelism, r.engine, r.engine.speculation
    servers = plan.accelerators / r.server.accelerators
    if pricing is Pricing.OWNED:
        servers = float(math.ceil(servers))  # nobody buys half of one
    return Deployment(
        model=r.model.id,
        accelerator=r.accelerator.id,
        accelerators=plan.accelerators,
        servers=servers,
        replicas=plan.replicas,
        replicas_by_hour=tuple(float(n) for n in plan.fleet.replicas),
        accelerators_per_replica=plan.accelerators_per_replica,
        tensor_parallel_size=int(p.tensor),
        pipeline_parallel_size=int(p.pipeline),
        expert_parallel_size=int(p.expert),
        data_parallel_size=int(p.attention_data),
        weights_dtype=r.precision.weights.value,
        kv_cache_dtype=r.precision.kv_cache.value,
        engine=r.served_by.id,
        max_num_seqs=int(engine.max_num_seqs),
        max_num_batched_tokens=int(engine.max_num_batched_tokens),
        gpu_memory_utilization=float(engine.gpu_memory_utilization),
        num_speculative_tokens=None if drafts is None else drafts.draft_tokens,
        tokens_per_step=None if drafts is None else float(drafts.tokens_per_step),
        pricing=pricing.value,
    )


def _serving(
    scenario: Scenario, r: Resolved, plan: Plan, point: OperatingPoint
) -> Serving:
    demand = r.workload
    tokens = demand.input_tokens_per_day + demand.output_tokens_per_day
    after_first = r.traffic.output_tokens > 1  # else no token waits for another
    return Serving(
        requests_per_day=demand.requests_per_day,
        input_tokens_per_day=demand.input_tokens_per_day,
        cached_input_tokens_per_day=demand.cached_input_tokens_per_day,
        output_tokens_per_day=demand.output_tokens_per_day,
        peak_requests_per_s=plan.demand.peak_per_s,
        capacity_requests_per_s=float(plan.capacity.requests_per_s),
        batch=float(point.batch),
        ttft_ms=float(point.ttft_quantile_s) * 1e3,
        ttft_mean_ms=float(point.ttft_mean_s) * 1e3,
        tpot_ms=float(point.tpot_quantile_s) * 1e3 if after_first else None,
        tpot_mean_ms=float(point.tpot_mean_s) * 1e3 if after_first else None,
        percentile=scenario.slo.percentile,
        tokens_per_s_per_accelerator=tokens / (plan.accelerator_hours * 3600),
        utilisation=plan.utilisation,
        binding=str(plan.capacity.binding),
    )


def write_speed(serving: Serving, w: Working, how: str = PEAK) -> None:
    """Write what a user sees; ``how`` it was found."""
    for name, unit in (
        ("batch", "1"),
        ("ttft_ms", "ms"),
        ("ttft_mean_ms", "ms"),
        ("tpot_ms", "ms"),
        ("tpot_mean_ms", "ms"),
    ):
        value = getattr(serving, name)
        if value is None:
            w.unknown(f"serving.{name}", unit, "no token follows the first")
        else:
            w.fact(f"serving.{name}", value, unit, grade=Grade.FITTED, source=how)
    w.derive(
        "serving.tokens_per_s_per_accelerator",
        serving.tokens_per_s_per_accelerator or 0.0,
        "token/s",
        "(workload.input_tokens_per_day + workload.output_tokens_per_day)"
        " / (deployment.accelerator_hours * 3600)",
    )
