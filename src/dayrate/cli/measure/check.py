"""``dayrate measure check``: predict from the calibration, then measure."""

from pathlib import Path
from typing import Annotated

import typer

from dayrate.cli.measure import options
from dayrate.cli.measure.talk import talking
from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "check_command"]

EPILOG = "Example: dayrate measure check --json"


def check_command(
    *,
    engine: options.Engine = "llama.cpp",
    rounds: options.Rounds = 3,
    streams: Annotated[
        int,
        typer.Option(metavar="number", min=1, help="Requests that decode together."),
    ] = 16,
    requests: Annotated[
        int,
        typer.Option(metavar="number", min=1, help="Requests that come at once."),
    ] = 32,
    gguf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The weights that were calibrated, if not the embedded ones.",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
) -> None:
    """Predict speeds from the calibration, measure them, and print both.

    Prompts and batches are of other sizes than the calibration's. Then many requests
    come at once to llama.cpp's server, and to the simulator that stands for it.
    """
    from dayrate.measure.calibrate.check import check  # noqa: PLC0415 - slow
    from dayrate.measure.calibrate.run import Ask  # noqa: PLC0415
    from dayrate.measure.calibrate.stream import Streams  # noqa: PLC0415

    words = asked_words(lang)
    ask = Ask(engine=engine, model=gguf, rounds=rounds)
    with talking() as talk:
        found = check(ask, Streams(slots=streams, requests=requests), talk)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(found.to_dict()))
        return
    from dayrate.cli.measure.check_page import render_check  # noqa: PLC0415
    from dayrate.report.canvas import Page  # noqa: PLC0415

    write(render_check(found, Page(words, page_width(), colour())))
