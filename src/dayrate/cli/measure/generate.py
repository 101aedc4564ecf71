"""``dayrate measure generate``: a text from a model that runs here, and its cost."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dayrate.cli.measure import options
from dayrate.cli.output import (
    asked_words,
    colour,
    page_width,
    say,
    write,
    write_part,
)
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.measure.generate.ask import Lengths, Sampling
    from dayrate.measure.generate.figures import Figures
    from dayrate.measure.generate.run import Setup
    from dayrate.measure.generate.tariff import Tariff
    from dayrate.report.i18n import Words

__all__ = ["EPILOG", "INTERRUPTED", "generate_command", "plain"]

INTERRUPTED = 130
EPILOG = (
    "Example: dayrate measure generate --prompt 'The capital of France is' "
    "--max-new-tokens 20 --electricity '0.65 CNY/kWh' --machine-price '0.10 USD/h'"
)
_SAMPLING = "How tokens are chosen"


def generate_command(
    *,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            "-p",
            metavar="text",
            help="The text to continue; - reads it from stdin.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = "smollm2-135m-instruct",
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="token",
            help="Most tokens together with the prompt, as in Hugging Face's generate.",
            show_default=False,
        ),
    ] = None,
    max_new_tokens: options.MaxNewTokens = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
    num_beams: Annotated[
        int,
        typer.Option(
            "--num-beams",
            metavar="number",
            help="Search the likeliest text along so many beams.",
            rich_help_panel=_SAMPLING,
        ),
    ] = 1,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help="End the search once as many texts as beams came to their end.",
            rich_help_panel=_SAMPLING,
        ),
    ] = False,
    no_repeat_ngram_size: Annotated[
        int,
        typer.Option(
            "--no-repeat-ngram-size",
            metavar="token",
            help="No run of so many tokens comes twice; 0 allows it.",
            rich_help_panel=_SAMPLING,
        ),
    ] = 0,
    num_return_sequences: Annotated[
        int,
        typer.Option(
            "--num-return-sequences",
            metavar="number",
            help="Texts to generate.",
            rich_help_panel=_SAMPLING,
        ),
    ] = 1,
    temperature: options.Temperature = None,
    top_p: options.TopP = None,
    top_k: options.TopK = None,
    seed: options.Seed = 0,
    backend: options.Backend = None,
    threads: options.Threads = None,
    dtype: options.DtypeName = "auto",
    device: options.Device = "auto",
    max_model_len: options.MaxModelLen = None,
    accelerator: options.Accelerator = None,
    electricity: options.Electricity = None,
    machine_price: options.MachinePrice = None,
    currency: options.Currency = "USD",
    fx: options.Fx = None,
) -> None:
    """Continue a text with a model that runs here, and measure speed, energy and cost.

    The text appears as it is generated; with beams or several texts, at the end.
    """
    from dayrate.measure.generate.ask import Lengths, Sampling  # noqa: PLC0415 - slow
    from dayrate.measure.generate.run import Setup  # noqa: PLC0415
    from dayrate.measure.generate.tariff import tariff  # noqa: PLC0415

    words = asked_words(lang)
    text = _prompt(prompt)
    sampling = Sampling(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        num_beams=num_beams,
        early_stopping=early_stopping,
        no_repeat_ngram_size=no_repeat_ngram_size,
        num_return_sequences=num_return_sequences,
    )
    lengths = Lengths(max_length, max_new_tokens)
    prices = tariff(electricity, machine_price, currency, fx)
    setup = Setup(model, backend, threads, dtype, device, max_model_len)
    ask = _Ask(text, lengths, sampling, prices, accelerator)
    figures = _run(setup, ask, words, quiet=as_json)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(ask.to_dict() | figures.to_dict()))
    else:
        _report(figures, words)
    if figures.trace.interrupted:
        raise typer.Exit(INTERRUPTED)


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask:
    prompt: str
    lengths: "Lengths"
    sampling: "Sampling"
    tariff: "Tariff"
    accelerator: str | None

    def to_dict(self) -> dict[str, Any]:
        asked = dataclasses.asdict(self.lengths) | dataclasses.asdict(self.sampling)
        return {"prompt": self.prompt, "asked": asked}


def plain(text: str) -> str:
    r"""Take control characters out, which a terminal would obey.

    >>> plain("a\x1b[2Jb\n")
    'a[2Jb\n'
    """
    return "".join(c for c in text if c in "\n\t" or c.isprintable() or c > "\x9f")


def _prompt(given: str | None) -> str:
    if given is None:
        raise InvalidInput(
            "There is no text to continue; give --prompt, or - for stdin."
        )
    try:
        text = sys.stdin.read().removesuffix("\n") if given == "-" else given
        text.encode()
    except UnicodeError:
        raise InvalidInput("The prompt is not UTF-8 text.") from None
    if not text:
        raise InvalidInput("The prompt is empty; give a word to continue.")
    return text


def _run(setup: "Setup", ask: _Ask, _: "Words", *, quiet: bool) -> "Figures":
    from dayrate.measure.generate.run import generate, load  # noqa: PLC0415 - slow

    say(_("Loading {model} …").format(model=setup.model))
    engine = load(setup, ask.sampling)
    streams = ask.sampling.width == 1 and not quiet
    if ask.sampling.num_beams > 1:
        say(_("With beams, the text comes at the end."))
    if streams:
        write_part(plain(ask.prompt))
    figures = generate(
        engine,
        ask.prompt,
        ask.lengths,
        ask.sampling,
        ask.tariff,
        on_text=(lambda text: write_part(plain(text))) if streams else _nobody,
        accelerator=ask.accelerator,
    )
    if streams:
        write("")
    elif not quiet:
        write(_texts(ask.prompt, figures, _))
    return figures


def _nobody(_text: str) -> None:
    """Show nothing before the end."""


def _texts(prompt: str, figures: "Figures", _: "Words") -> str:
    texts = [plain(prompt + o.text) for o in figures.trace.outputs]
    if len(texts) == 1:
        return texts[0]
    of = _("Text {i} of {n}")
    heads = (of.format(i=i + 1, n=len(texts)) for i in range(len(texts)))
    return "\n\n".join(f"[{h}]\n{t}" for h, t in zip(heads, texts, strict=True))


def _report(figures: "Figures", words: "Words") -> None:
    from dayrate.cli.measure.figures import render_figures  # noqa: PLC0415 - slow
    from dayrate.report.canvas import Page  # noqa: PLC0415

    write("\n" + render_figures(figures, Page(words, page_width(), colour())))
