"""``dayrate measure train``: a small model trained here, and what it would cost big."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dayrate.cli.measure import options
from dayrate.cli.output import asked_words, colour, page_width, say, write
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.measure.train.job import Evaluation, Job
    from dayrate.measure.train.loop import Trained

__all__ = ["EPILOG", "train_command"]

EPILOG = "Example: dayrate measure train --steps 100 --save my-model"

_MODEL, _TRAINING = "Model", "Training"


def train_command(
    *,
    objective: Annotated[
        str,
        typer.Option(
            metavar="causal|masked",
            help="Predict the next token (GPT-2), or hidden tokens and whether two "
            "passages follow each other (BERT).",
            rich_help_panel=_MODEL,
        ),
    ] = "causal",
    layers: Annotated[
        int, typer.Option(help="Blocks.", metavar="number", rich_help_panel=_MODEL)
    ] = 2,
    hidden: Annotated[
        int, typer.Option(help="Width.", metavar="number", rich_help_panel=_MODEL)
    ] = 128,
    heads: Annotated[
        int,
        typer.Option(help="Attention heads.", metavar="number", rich_help_panel=_MODEL),
    ] = 4,
    vocabulary: Annotated[
        int,
        typer.Option(
            help="Tokens of the tokenizer that is learnt from the text.",
            metavar="number",
            rich_help_panel=_MODEL,
        ),
    ] = 2048,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="Go on from a saved checkpoint: fine-tuning.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            metavar="rank",
            help="Train narrow matrices beside the checkpoint's attention only.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Text in UTF-8; else the help texts that ship with Python.",
            show_default=False,
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    steps: Annotated[
        int,
        typer.Option(help="Steps.", metavar="number", rich_help_panel=_TRAINING),
    ] = 100,
    batch: Annotated[
        int,
        typer.Option(
            help="Sequences of a step.", metavar="number", rich_help_panel=_TRAINING
        ),
    ] = 16,
    context: Annotated[
        int,
        typer.Option(
            help="Tokens of a sequence.", metavar="token", rich_help_panel=_TRAINING
        ),
    ] = 128,
    learning_rate: Annotated[
        float,
        typer.Option(
            help="Largest rate of AdamW.", metavar="number", rich_help_panel=_TRAINING
        ),
    ] = 1e-3,
    evaluate_every: Annotated[
        int,
        typer.Option(
            help="Steps between evaluations.",
            metavar="number",
            rich_help_panel=_TRAINING,
        ),
    ] = 25,
    max_seconds: Annotated[
        float,
        typer.Option(help="Stop in time.", metavar="s", rich_help_panel=_TRAINING),
    ] = 600.0,
    seed: Annotated[
        int,
        typer.Option(
            help="Of weights and batches.",
            min=0,
            metavar="number",
            rich_help_panel=_TRAINING,
        ),
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the model and its tokenizer, whole or not at all.",
            show_default=False,
        ),
    ] = None,
    electricity: options.Electricity = None,
    machine_price: options.MachinePrice = None,
    threads: Annotated[
        int, typer.Option(help="Processor threads.", metavar="number")
    ] = 1,
    device: Annotated[
        str, typer.Option(help="Where to train.", metavar="cpu|cuda")
    ] = "cpu",
    as_json: options.AsJson = False,
    lang: options.Lang = None,
) -> None:
    """Train a small model here; say its speed and its cost, and those of GPT-3.

    Ctrl-C ends it early: what was found until then is reported and saved.
    """
    from dayrate.measure.train.job import Job, Shape  # noqa: PLC0415 - slow

    words = asked_words(lang)
    job = Job(
        objective=_objective(objective),
        shape=Shape(layers, hidden, heads, vocabulary),
        text=text,
        start=start,
        lora_rank=lora,
        steps=steps,
        batch=batch,
        context=context,
        learning_rate=learning_rate,
        evaluate_every=evaluate_every,
        max_seconds=max_seconds,
        seed=seed,
        threads=threads,
        device=device,
    )
    prices = _prices(electricity, machine_price)
    if save is not None:
        _check_free(save)
    from dayrate.measure.train.extrapolate import gpt3_on_a100  # noqa: PLC0415
    from dayrate.measure.train.loop import train  # noqa: PLC0415

    trained = train(job, _teller(job))
    far = gpt3_on_a100(trained.run)
    saved = "" if save is None else _saved(trained, save)
    if as_json:
        from dayrate.measure.train.record import training_dict  # noqa: PLC0415
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(training_dict(trained.run, far, prices)))
    else:
        from dayrate.cli.measure.train_page import render_training  # noqa: PLC0415
        from dayrate.report.canvas import Page  # noqa: PLC0415

        page = Page(words, page_width(), colour())
        write(render_training(trained.run, far, prices, page))
    if saved:
        raise InvalidInput(saved)


def _objective(text: str) -> Any:
    from dayrate.measure.train.job import Objective  # noqa: PLC0415

    known = [o.value for o in Objective]
    if text not in known:
        raise InvalidInput(f"--objective is {text!r}; give one of {', '.join(known)}.")
    return Objective(text)


def _prices(electricity: str | None, machine: str | None) -> Any:
    from dayrate.measure.money import machine_prices  # noqa: PLC0415

    return machine_prices(electricity, machine)


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"--save names {folder}, which exists. Give a new folder.")


def _teller(job: "Job") -> Any:
    """Say where training is: a line for each evaluation, a counter on a terminal."""
    live = sys.stderr.isatty()

    def tell(step: int, loss: float, found: "Evaluation | None") -> None:
        if found is not None:
            clear = "\r\033[K" if live else ""
            say(
                f"{clear}step {step:>5} of {job.steps}  loss {loss:.3f}  "
                f"validation perplexity {found.perplexity:.1f}"
            )
        elif live:
            sys.stderr.write(f"\rstep {step:>5} of {job.steps}  loss {loss:.3f}")
            sys.stderr.flush()

    return tell


def _saved(trained: "Trained", folder: Path) -> str:
    """Save the model; a failure is told after the report, not in its place."""
    from dayrate.measure.train.save import save_checkpoint  # noqa: PLC0415

    try:
        save_checkpoint(trained, folder)
    except InvalidInput as error:
        return str(error)
    say(f"saved in {folder}")
    return ""
