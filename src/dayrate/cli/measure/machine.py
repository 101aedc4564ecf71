"""``dayrate measure machine``: what this machine is and what it reaches."""

from dayrate.cli.measure import options
from dayrate.cli.measure.talk import talking
from dayrate.cli.output import asked_words, colour, page_width, write

__all__ = ["EPILOG", "machine_command"]

EPILOG = "Example: dayrate measure machine --threads 1"


def machine_command(
    *,
    threads: options.AllThreads = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
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
