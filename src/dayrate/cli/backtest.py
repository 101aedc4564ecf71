"""``dayrate backtest``: predictions held against published measurements."""

from typing import Annotated

import typer

from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "backtest_command"]

EPILOG = "Example: dayrate backtest measurements.csv --by source,gpu --worst 10"


def backtest_command(
    file: Annotated[
        str,
        typer.Argument(
            help="A CSV of measurements; see the reference for its columns."
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="columns",
            help="Score these columns' values too, for example source,gpu,engine.",
            show_default=False,
        ),
    ] = "",
    worst: Annotated[
        int,
        typer.Option(
            "--worst",
            metavar="number",
            min=0,
            help="List that many of the worst groups.",
        ),
    ] = 0,
    tier: Annotated[
        str,
        typer.Option(
            "--tier",
            metavar="A|B",
            help="A: everything is known. B: something is missing. C never counts.",
        ),
    ] = "A",
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            metavar="number",
            min=0,
            help="Refit this many times, each without a part of the systems, and "
            "predict that part.",
        ),
    ] = 0,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="en|zh",
            envvar="DAYRATE_LANG",
            help="Language of the text.",
            show_default="en",
        ),
    ] = None,
) -> None:
    """Predict every measurement of a table from its configuration, and score it."""
    from dayrate.validation.calibration import Shipped  # noqa: PLC0415 - slow
    from dayrate.validation.score import backtest  # noqa: PLC0415
    from dayrate.validation.table import read_table  # noqa: PLC0415

    words = asked_words(lang)
    columns = [c.strip() for c in by.split(",") if c.strip()]
    result = backtest(
        read_table(file), Shipped(), tier=tier, by=columns, worst=worst, folds=folds
    )
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(result.to_dict()))
        return
    from dayrate.report.backtest import render_backtest  # noqa: PLC0415
    from dayrate.report.canvas import Page  # noqa: PLC0415

    write(render_backtest(result, Page(words, page_width(), colour())))
