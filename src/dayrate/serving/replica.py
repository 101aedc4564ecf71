"""What serves, what it serves, and what was promised."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dayrate.catalog.model import ModelSpec
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import Efficiency
from dayrate.perf.memory import (
    MemoryPlan,
    memory_plan,
    weight_bytes_per_accelerator,
    workspace_bytes,
)
from dayrate.perf.operators import StepShape
from dayrate.perf.parallel import scheduling_ranks
from dayrate.perf.step import StepTime, step_time
from dayrate.serving.speculation import Speculation, speculative_step_time
from dayrate.units import Num

__all__ = ["Engine", "Replica", "Slo", "Traffic"]


@dataclass(frozen=True, slots=True)
class Engine:
    """Limits of the serving engine, named as vLLM names them.

    They hold for each scheduler: once per attention-data rank, and the token limit
    once per pipeline micro-batch. A pipeline drains after ``submitted_tokens`` of a
    prompt: llama.cpp hands over 2048 at a time. ``request_s`` passes before the first
    token outside the model: network, tokenizer, scheduling. ``speculation`` drafts
    tokens for every decoding sequence. The cache gets ``free_memory_frac`` of what
    weights and workspace leave: TensorRT-LLM's setting. ``reserves_output`` admits a
    request only where its whole answer has room.
    """

    max_num_seqs: Num
    max_num_batched_tokens: Num
    gpu_memory_utilization: Num = 0.9
    chunked_prefill: bool = True
    submitted_tokens: Num = float("inf")
    request_s: Num = 0.0
    speculation: Speculation | None = None
    free_memory_frac: Num = 1.0
    reserves_output: bool = False

    @property
    def decode_tokens_each(self) -> int:
        """Tokens of a step's budget that a decoding sequence takes. [token]"""
        return 1 if self.speculation is None else self.speculation.draft_tokens + 1


@dataclass(frozen=True, slots=True)
class Traffic:
    """The mean request, and how much requests differ; fields may be arrays.

    Parameters
    ----------
    input_tokens, output_tokens : Num
        Mean lengths. [token]
    cached_input_frac : Num
        Share of input tokens found in a prefix cache. [1]
    input_tokens_p95 : Num or None
        Length of a long prompt, for the tail of the time to first token. [token]
    output_cv : Num
        Standard deviation over mean of the output length. [1]
    input_cv : Num or None
        The same of the input; from ``input_tokens_p95``, where it is not given. [1]
    arrival_scv : Num
        Squared coefficient of variation of the times between arrivals at a replica: 1
        for Poisson arrivals, 1/n where n replicas take turns at them. [1]
    tokens_per_step : Num
        Tokens that a decoding sequence gets in a step: above 1 where drafts are
        accepted (`Speculation`). [token]
    """

    input_tokens: Num
    output_tokens: Num
    cached_input_frac: Num = 0.0
    input_tokens_p95: Num | None = None
    output_cv: Num = 0.0
    input_cv: Num | None = None
    arrival_scv: Num = 1.0
    tokens_per_step: Num = 1.0

    @property
    def cached_tokens(self) -> Num:
        """Input tokens per request that are not computed again. [token]"""
        return self.input_tokens - self.uncached_tokens

    @property
    def uncached_tokens(self) -> Num:
        """Input tokens per request to compute; the last one always is. [token]"""
        computed = self.input_tokens * (1.0 - np.asarray(self.cached_input_frac))
        return np.maximum(computed, 1.0)

    @property
    def decode_steps(self) -> Num:
        """Steps after the one that yields the first token. [1]"""
        return self.later_tokens / self.tokens_per_step

    @property
    def later_tokens(self) -> Num:
        """Output tokens after the first. [token]"""
        return np.maximum(self.output_tokens - 1.0, 0.0)

    @property
    def resident_steps(self) -> Num:
        """Steps that a request holds a slot: the first token's and the others. [1]"""
        return self.decode_steps + 1.0

    @property
    def context_tokens(self) -> Num:
        """Mean context of a sequence met at random while it decodes. [token]

        Long outputs are met more often, in proportion to their length, hence
        ``1 + cv ** 2``.
        """
        grown = self.output_tokens / 2.0 * (1.0 + np.asarray(self.output_cv) ** 2)
        return self.input_tokens + grown

    @property
    def input_spread(self) -> Num:
        """Standard deviation over mean of the input length. [1]

        Where only a long prompt is known, as if it were normal: 1.645 deviations off.
        """
        if self.input_cv is not None:
            return self.input_cv
        if self.input_tokens_p95 is None:
            return 0.0
        return np.maximum(self.input_tokens_p95 / self.input_tokens - 1.0, 0.0) / 1.645


@dataclass(frozen=True, slots=True)
class Slo:
    """Latency targets that a share ``quantile`` of requests must meet.

    ``tpot_s`` is a request's mean time per output token after the first.
    """

    ttft_s: Num = float("inf")
    tpot_s: Num = float("inf")
    quantile: float = 0.95


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a model on its accelerators, with the engine that runs it."""

    model: ModelSpec
    machine: Machine
    parallelism: Parallelism
    precision: Precision
    engine: Engine
    efficiency: Efficiency

    @property
    def schedulers(self) -> Num:
        """Micro-batches under way at the same time. [1]"""
        return scheduling_ranks(self.parallelism)

    @property
    def max_sequences(self) -> Num:
        """Sequences that the engine admits. [1]"""
        return self.engine.max_num_seqs * self.parallelism.attention_data

    @property
    def max_step_tokens(self) -> Num:
        """Tokens that the engine admits to one step of the replica. [token]"""
        return self.engine.max_num_batched_tokens * self.schedulers

    def kept_tokens(self, traffic: Traffic) -> Num:
        """Tokens of a running request that the cache has room for, on average."""
        if self.engine.reserves_output:
            return traffic.input_tokens + traffic.output_tokens
        return traffic.context_tokens

    def step(self, shape: StepShape) -> StepTime:
        """Time of one step, drafts and their verification included."""
        if self.engine.speculation is not None:
            return speculative_step_time(
                self.model,
                self.machine,
                self.parallelism,
                self.precision,
                shape,
                efficiency=self.efficiency,
                speculation=self.engine.speculation,
            )
        return step_time(
            self.model,
            self.machine,
            self.parallelism,
            self.precision,
            shape,
            efficiency=self.efficiency,
        )

    @property
    def _held_model(self) -> ModelSpec:
        """The layers of the model and of what drafts for it."""
        speculation = self.engine.speculation
        if speculation is None or speculation.draft is None:
            return self.model
        blocks = (*self.model.blocks, *speculation.draft.blocks)
        return dataclasses.replace(self.model, blocks=blocks)

    def _narrow_draft_bytes(self, held: ModelSpec) -> Num:
        """Count what a draft takes beyond layers of the large model's width. [B]"""
        speculation = self.engine.speculation
        draft = None if speculation is None else speculation.draft
        if draft is None or draft.hidden_size == self.model.hidden_size:
            return 0.0
        own, both, alone = (
            weight_bytes_per_accelerator(m, self.parallelism, self.precision)
            for m in (draft, held, self.model)
        )
        return own - (both - alone)

    def memory(self, context_tokens: Num) -> MemoryPlan:
        """Share the memory out for sequences of this context."""
        engine, held = self.engine, self._held_model
        workspace = workspace_bytes(
            self.model,
            self.parallelism,
            self.precision,
            tokens=engine.max_num_batched_tokens,
            sequences=engine.max_num_seqs,
            reserve_bytes=self.efficiency.reserve_bytes,
        )
        workspace = workspace + self._narrow_draft_bytes(held)
        plan = memory_plan(
            held,
            self.machine,
            self.parallelism,
            self.precision,
            context_tokens=context_tokens,
            usable_bytes=self.machine.hbm_bytes * engine.gpu_memory_utilization,
            workspace=workspace,
        )
        unused = plan.cache_bytes * (1.0 - np.asarray(engine.free_memory_frac))
        return dataclasses.replace(plan, usable_bytes=plan.usable_bytes - unused)
