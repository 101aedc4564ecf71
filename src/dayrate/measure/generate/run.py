"""A model loaded, asked and measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dayrate.errors import InvalidInput
from dayrate.measure.generate.ask import Lengths, Sampling
from dayrate.measure.generate.figures import Figures, peak_of
from dayrate.measure.generate.host import idle_cores, load_1min
from dayrate.measure.generate.llamacpp import load_llamacpp, refuse_unsupported
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Engine, Prompt
from dayrate.measure.generate.transformers_ import (
    DEVICES,
    DTYPES,
    load_transformers,
)
from dayrate.measure.models import EMBEDDED, find_model
from dayrate.measure.power import energy_meter

__all__ = ["BACKENDS", "Setup", "generate", "load", "run"]

BACKENDS = ("transformers", "llamacpp")


@dataclass(frozen=True, slots=True)
class Setup:
    """Which model, and how it is run; None is for what suits it."""

    model: str = EMBEDDED
    backend: str | None = None
    threads: int | None = None
    dtype: str = "auto"
    device: str = "auto"
    max_model_len: int | None = None

    def __post_init__(self) -> None:
        choices = {
            "backend": (self.backend or BACKENDS[0], BACKENDS),
            "dtype": (self.dtype, DTYPES),
            "device": (self.device, DEVICES),
        }
        for flag, (value, allowed) in choices.items():
            if value not in allowed:
                raise InvalidInput(
                    f"--{flag} is {value!r}; give one of {', '.join(allowed)}."
                )
        for flag, number in (
            ("threads", self.threads),
            ("max-model-len", self.max_model_len),
        ):
            if number is not None and number < 1:
                raise InvalidInput(f"--{flag} is {number}; give a number from 1.")


def load(setup: Setup, sampling: Sampling | None = None) -> Engine:
    """Load a model with the backend its files need, or the one asked for.

    ``sampling`` is checked before the weights are read.
    """
    files = find_model(setup.model)
    backend = setup.backend or ("llamacpp" if files.is_gguf else "transformers")
    threads = setup.threads or idle_cores()
    if backend == "transformers":
        return load_transformers(
            files,
            threads=threads,
            dtype=setup.dtype,
            device=setup.device,
            context_tokens=setup.max_model_len,
        )
    refuse_unsupported(sampling or Sampling())
    _refuse_torch_flags(setup)
    return load_llamacpp(files, threads=threads, context_tokens=setup.max_model_len)


def _refuse_torch_flags(setup: Setup) -> None:
    for flag, value in (("dtype", setup.dtype), ("device", setup.device)):
        if value != "auto":
            raise InvalidInput(
                f"--{flag} is for --backend transformers; llama.cpp takes the format "
                "of its file."
            )


def generate(
    engine: Engine,
    text: str,
    lengths: Lengths,
    sampling: Sampling,
    tariff: Tariff,
    *,
    on_text: Callable[[str], None],
    accelerator: str | None = None,
) -> Figures:
    """Continue a text, and measure it.

    Raises
    ------
    InvalidInput
        The prompt and what is asked for do not fit in the context.
    """
    peak = peak_of(accelerator, engine.host)
    prompt = Prompt(text)
    context = engine.host.context_tokens
    new_tokens = lengths.new_tokens(engine.count(prompt), context)
    figures = run(engine, prompt, new_tokens, sampling, tariff, on_text=on_text)
    counted = engine.counted_flop(figures.trace)
    return replace(figures, peak=peak, counted_flop=counted)


def run(
    engine: Engine,
    prompt: Prompt,
    new_tokens: int,
    sampling: Sampling,
    tariff: Tariff,
    *,
    on_text: Callable[[str], None],
) -> Figures:
    """Let a model answer, and count seconds and joules."""
    load, processor_s = load_1min(), time.process_time()
    with energy_meter() as meter:
        trace = engine.complete(prompt, new_tokens, sampling, on_text)
    return Figures(
        engine.host,
        trace,
        meter.energy,
        tariff,
        load_1min=load,
        processor_s=time.process_time() - processor_s,
    )
