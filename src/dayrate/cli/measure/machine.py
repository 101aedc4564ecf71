"""``dayrate measure machine``: what this machine is and what it reaches."""

from typing import Annotated

import typer

from dayrate.cli.measure.talk import talking
from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "machine_command"]

EPILOG = "Example: dayrate measure machine --threads 1"


def machine_command(
    *,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="number",
            help="Threads that compute; all that this process may use unless given.",
            show_default=False,
        ),
    ] = None,
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
    """Find processor, caches, memory, accelerators and power meters; time products.

    Matrices are multiplied in each number format, and memory is read by one thread
    and by more. Takes about a quarter of a minute where nothing else runs.
    """
    from dayrate.measure.machine.probe import probe  # noqa: PLC0415 - slow

    words = asked_words(lang)
    with talking() as talk:
        report = probe(threads=threads, talk=talk)
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415

        write(to_json(report.to_dict()))
        return
    from dayrate.cli.measure.machine_page import render_machine  # noqa: PLC0415
    from dayrate.report.canvas import Page  # noqa: PLC0415

    write(render_machine(report, Page(words, page_width(), colour())))
