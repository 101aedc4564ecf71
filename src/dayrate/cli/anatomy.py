"""``dayrate anatomy``: where every FLOP, byte and cent of a request goes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dayrate.cli.output import asked_words, colour, page_width, say, write, write_file
from dayrate.cli.quote import QuoteCommand
from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    from dayrate.anatomy.walk import Anatomy
    from dayrate.report.i18n import Words

__all__ = ["EPILOG", "AnatomyCommand", "anatomy_command"]

EPILOG = (
    "Example: dayrate anatomy meta-llama/Llama-3.1-8B --accelerator h100-sxm-80gb "
    "--isl 1000 --osl 200"
)
_PICTURES = frozenset({".html", ".htm", ".svg"})
#: Keys of a scenario that a single request has.
_FLAGS = frozenset(
    {
        "quantization",
        "kv_cache_dtype",
        "max_model_len",
        "isl",
        "osl",
        "accelerator",
        "engine",
        "tensor_parallel_size",
        "pricing",
        "offer",
        "gpu_hour_price",
        "currency",
        "fx",
    }
)


class AnatomyCommand(QuoteCommand):
    """Takes the flags of a scenario that one request has."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own options, then those of the scenario."""
        from dayrate.cli.options import scenario_options  # noqa: PLC0415 - slow

        asked = [p for p in scenario_options() if p.name in _FLAGS]
        return [*TyperCommand.get_params(self, ctx), *asked]


def anatomy_command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A catalogue id, or the path of a config.json or of its folder.",
        ),
    ],
    *,
    batch: Annotated[
        int,
        typer.Option("--batch", metavar="number", help="Requests side by side."),
    ] = 1,
    layer_detail: Annotated[
        bool,
        typer.Option(
            "--layer-detail", help="Show each kind of layer on its own (text)."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, operators included.")
    ] = False,
    figure: Annotated[
        str | None,
        typer.Option(
            "--figure",
            metavar="FILE.html|FILE.svg",
            help="Write a figure of the shares: a page of its own, or a picture.",
            show_default=False,
        ),
    ] = None,
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
    """Walk one request through a model: shapes, parameters, work, bytes, part by part.

    Prefill, one decode step and the whole request; with --accelerator also the time,
    energy and cost of each part. Lengths that are not given are 512 tokens in and 128
    out.
    """
    _ = words = asked_words(lang)
    if figure is not None and Path(figure).suffix.lower() not in _PICTURES:
        raise InvalidInput(
            f"--figure is {figure!r}; give a name that ends in .html or .svg. The page "
            "of .html has a button that saves a PNG."
        )
    found = _walked(model, ctx.obj, batch)
    if figure is not None:
        write_file(figure, _drawn(found, figure, words))
        say(_("The figure is in {file}.").format(file=figure))
    if as_json:
        from dayrate.report.anatomy.document import to_document  # noqa: PLC0415
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(to_document(found)))
        return
    from dayrate.report.anatomy.text import render_anatomy  # noqa: PLC0415 - slow
    from dayrate.report.canvas import Page  # noqa: PLC0415

    page = Page(words, page_width(), colour())
    write(render_anatomy(found, page, by_kind=layer_detail))


def _walked(model: str, values: dict[str, Any], batch: int) -> "Anatomy":
    from dayrate.anatomy.walk import anatomy_of  # noqa: PLC0415 - slow
    from dayrate.cli.options import given  # noqa: PLC0415
    from dayrate.scenario.flags import nested  # noqa: PLC0415
    from dayrate.scenario.schema import scenario_from  # noqa: PLC0415

    flags = {**given(values), "model": model}
    return anatomy_of(scenario_from(nested(flags)), batch)


def _drawn(found: "Anatomy", file: str, words: "Words") -> str:
    from dayrate.report.anatomy.figure import anatomy_figure  # noqa: PLC0415 - slow
    from dayrate.report.figures import figure_page  # noqa: PLC0415
    from dayrate.report.svg import figure_svg  # noqa: PLC0415

    drawn = anatomy_figure(found, words)
    if Path(file).suffix.lower() == ".svg":
        return figure_svg(drawn)
    title = f"dayrate anatomy {found.model.id}"
    return figure_page(drawn, title=title, lang=words.language)
