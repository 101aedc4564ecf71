"""``dayrate measure calibrate``: coefficients of this machine, for quotes."""

from pathlib import Path
from typing import Annotated

import typer

from dayrate.cli.measure import options
from dayrate.cli.measure.talk import talking
from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "calibrate_command"]

EPILOG = "Example: dayrate measure calibrate --full-load-watts 65"


def calibrate_command(
    *,
    engine: options.Engine = "llama.cpp",
    threads: options.AllThreads = None,
    rounds: options.Rounds = 3,
    full_load_watts: Annotated[
        float | None,
        typer.Option(
            metavar="W",
            help="Power of the whole machine at full load, from a meter at the plug.",
            show_default=False,
        ),
    ] = None,
    gguf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Other weights than the embedded ones, of the shape of --model.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="id",
            help="Catalogue id of what runs; the embedded SmolLM2-135M unless given.",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
) -> None:
    """Time short runs of a small model here, and fit the coefficients of a quote.

    They are written with date and interval to this-machine.yaml in the configuration
    folder (DAYRATE_CONFIG_DIR, else dayrate in XDG_CONFIG_HOME or ~/.config). After
    that, --accelerator this-machine is a device like any other; with --engine
    transformers it is this-machine-transformers.
    """
    from dayrate.measure.calibrate.run import Ask, calibrate  # noqa: PLC0415 - slow
    from dayrate.measure.calibrate.save import (  # noqa: PLC0415
        document,
        ready_to_write,
        save,
    )

    words = asked_words(lang)
    ask = Ask(
        engine=engine,
        model=gguf,
        catalogued=model,
        threads=threads,
        rounds=rounds,
        full_load_w=full_load_watts,
    )
    ready_to_write(ask.id)  # minutes of timing should not end in an error
    with talking() as talk:
        found = calibrate(ask, talk)
    file = save(found)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json({"file": str(file), **document(found)}))
        return
    from dayrate.cli.measure.calibrate_page import render_calibration  # noqa: PLC0415
    from dayrate.report.canvas import Page  # noqa: PLC0415

    write(render_calibration(found, file, Page(words, page_width(), colour())))
