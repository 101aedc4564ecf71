"""``dayrate catalog``: the facts that quotes are made of, with their sources."""

from typing import Annotated

import typer

from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "catalog_command", "show_catalog"]

_SHOWN_IN_FULL = 3  # more that a name may mean are listed

EPILOG = "Example: dayrate catalog accelerators h100-sxm-80gb"


def catalog_command(
    kind: Annotated[
        str,
        typer.Argument(
            help="models, accelerators, servers, links, prices, sites, workloads or "
            "scenarios."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            help="One entry, or part of a name, to show in full.", show_default=False
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
    """List the facts that quotes are made of; with NAME, one of them in full."""
    show_catalog(kind, name, as_json=as_json, lang=lang)


def show_catalog(
    kind: str, name: str | None, *, as_json: bool, lang: str | None
) -> None:
    """Print rows of the catalogue."""
    from dayrate.report.canvas import Page  # noqa: PLC0415 - slow
    from dayrate.report.catalog import found, render_list, render_row  # noqa: PLC0415

    page = Page(asked_words(lang), page_width(), colour())
    rows = found(kind, name)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json([dict(row) for row in rows]))
    elif name is None or len(rows) > _SHOWN_IN_FULL:
        write(render_list(kind, rows, page))
    else:
        write("\n".join(render_row(row, page) for row in rows))
