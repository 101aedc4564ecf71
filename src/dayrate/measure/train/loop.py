"""The loop of training: forward, loss, backward, step; and what it took."""

import math
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.measure.power import energy_meter
from dayrate.measure.train.batches import Batch, batch_source, validation_batches
from dayrate.measure.train.flop import (
    counted_step_flop,
    peak_flop_per_s,
    predicted_step_flop,
)
from dayrate.measure.train.job import Evaluation, Job, Objective, Run
from dayrate.measure.train.model import (
    adapted,
    build_model,
    config_of,
    saved_tokenizer,
    torch_modules,
)
from dayrate.measure.train.text import corpus, learnt_tokenizer, training_text

__all__ = ["Trained", "train"]

Tell = Callable[[int, float, Evaluation | None], None]

_WARM_UP_FRAC = 0.05
_WEIGHT_DECAY, _CLIP = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Trained:
    """The run, and the model that came out of it."""

    run: Run
    model: Any
    tokenizer: Any


@dataclass(slots=True)
class _Course:
    """A model being trained, and what has been found so far."""

    torch: Any
    model: Any
    job: Job
    held: list[Batch]
    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0
    stopped: str = ""


def train(job: Job, tell: Tell = lambda step, loss, evaluation: None) -> Trained:
    """Train a model here; Ctrl-C ends it early and keeps what was found.

    Parameters
    ----------
    job : Job
        What to train on what.
    tell : callable
        Called after every step with its number, its loss, and an evaluation if any.

    Raises
    ------
    InvalidInput
        Text, checkpoint or loss are of no use.
    MissingExtra
        Torch or transformers are not installed.
    """
    torch, _transformers = torch_modules()
    _prepare(torch, job)
    text = training_text(job.text)
    tokenizer = (
        learnt_tokenizer(text, job.shape.vocabulary)
        if job.start is None
        else saved_tokenizer(job.start)
    )
    parts = corpus(text, tokenizer, job)
    base = build_model(job, config_of(job, tokenizer))
    _check_context(base.config, job)
    source = batch_source(parts.training, tokenizer, job, job.seed)
    held = validation_batches(parts.validation, tokenizer, job)
    counted = counted_step_flop(base, job, held[0])
    model = adapted(base, job).to(job.device)
    peak = peak_flop_per_s(job.device)
    course = _Course(torch, model, job, held)
    with energy_meter() as meter:
        _take_steps(course, source, tell)
    peak = max(peak, peak_flop_per_s(job.device))  # other work may have slowed one
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    run = Run(
        job=job,
        model=f"{base.config.model_type}, {base.config.num_hidden_layers} layers of "
        f"{base.config.hidden_size}",
        params=sum(n for n, _ in counts),
        trained_params=sum(n for n, learns in counts if learns),
        training_tokens=parts.training_tokens,
        validation_tokens=parts.validation_tokens,
        losses=tuple(course.losses),
        evaluations=tuple(course.evaluations),
        seconds=course.seconds,
        cpu_s=course.cpu_s,
        flop_per_step_counted=counted,
        flop_per_step_predicted=predicted_step_flop(base.config, job),
        peak_flop_per_s=peak,
        peak_memory_bytes=_peak_memory_bytes(torch, job),
        energy=meter.energy,
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        stopped=course.stopped,
    )
    return Trained(run, model, tokenizer)


def _prepare(torch: Any, job: Job) -> None:
    if job.device != "cpu" and not torch.cuda.is_available():
        raise InvalidInput(
            f"--device is {job.device!r} and torch sees no such device. Use cpu."
        )
    torch.manual_seed(job.seed)
    torch.set_num_threads(job.threads)


def _check_context(config: Any, job: Job) -> None:
    longest = config.max_position_embeddings
    if job.context > longest:
        raise InvalidInput(
            f"--context is {job.context} and the checkpoint knows {longest} positions. "
            f"Give {longest} or fewer."
        )


def _take_steps(c: _Course, source: Iterator[Batch], tell: Tell) -> None:
    """Take the steps, evaluating before the first, now and then, and after the last."""
    take, job = _stepper(c), c.job
    c.evaluations.append(_evaluate(c, 0))
    try:
        for step in range(1, job.steps + 1):
            before, spent = time.perf_counter(), time.process_time()
            loss = take(next(source))
            c.seconds += time.perf_counter() - before
            c.cpu_s += time.process_time() - spent
            c.losses.append(loss)
            late = c.seconds > job.max_seconds
            last = step == job.steps or late
            due = last or step % job.evaluate_every == 0
            found = _evaluate(c, step) if due else None
            c.evaluations += [found] if found else []
            tell(step, loss, found)
            if late and step < job.steps:
                c.stopped = f"--max-seconds {job.max_seconds:g} were over"
                return
    except KeyboardInterrupt:
        if not c.losses:
            raise
        c.stopped = "interrupted"
        if c.evaluations[-1].step < len(c.losses):
            c.evaluations.append(_evaluate(c, len(c.losses)))


def _stepper(c: _Course) -> Callable[[Batch], float]:
    """Make what takes a step: AdamW, a rate that warms up and falls, a clipped norm."""
    learns = [p for p in c.model.parameters() if p.requires_grad]
    optimizer = c.torch.optim.AdamW(
        learns, lr=c.job.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    schedule = c.torch.optim.lr_scheduler.LambdaLR
    rate = schedule(optimizer, lambda step: _rate(step, c.job.steps))

    def take(batch: Batch) -> float:
        c.model.train()
        loss = c.model(**_on(batch, c.job)).loss
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InvalidInput(
                f"The loss became {value}: the steps are too large. Give a "
                f"--learning-rate below {c.job.learning_rate:g}."
            )
        loss.backward()
        c.torch.nn.utils.clip_grad_norm_(learns, _CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        rate.step()
        return value

    return take


def _rate(step: int, steps: int) -> float:
    """Warm up linearly, then fall by a cosine to a tenth."""
    warm = max(1, round(_WARM_UP_FRAC * steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, done)))


def _evaluate(c: _Course, step: int) -> Evaluation:
    """Loss over the validation batches, of the language objective alone."""
    c.model.eval()
    total, predicted, right, pairs = 0.0, 0, 0, 0
    with c.torch.no_grad():
        for batch in c.held:
            found = c.model(**_on(batch, c.job))
            labels = batch["labels"]
            if c.job.objective is Objective.CAUSAL:
                logits, labels = found.logits[:, :-1], labels[:, 1:]
            else:
                logits = found.prediction_logits
                says = found.seq_relationship_logits.argmax(-1).cpu()
                right += int((says == batch["next_sentence_label"]).sum())
                pairs += len(says)
            total += float(_nats(c.torch, logits, labels.to(logits.device)))
            predicted += int((labels >= 0).sum())
    loss = total / predicted
    accuracy = right / pairs if pairs else None
    return Evaluation(step, loss, math.exp(min(loss, 700.0)), accuracy)


def _nats(torch: Any, logits: Any, labels: Any) -> Any:
    flat = logits.reshape(-1, logits.shape[-1])
    return torch.nn.functional.cross_entropy(
        flat, labels.reshape(-1), reduction="sum", ignore_index=-100
    )


def _on(batch: Batch, job: Job) -> Batch:
    return {name: value.to(job.device) for name, value in batch.items()}


def _peak_memory_bytes(torch: Any, job: Job) -> float:
    if job.device != "cpu":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
