"""What training runs reached: utilisation as published, by accelerator."""

import functools
import statistics

from dayrate.catalog.devices import accelerator
from dayrate.catalog.load import source
from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput
from dayrate.evidence import Estimate, Grade, Source

__all__ = ["training_mfu"]


@functools.cache
def training_mfu(accelerator_id: str) -> Estimate:
    """Range of model FLOP utilisation that dense models of GPT-3's size reached.

    Low and high are the extremes of what was published, mid is the median.

    Raises
    ------
    InvalidInput
        Nothing is known of the accelerator.

    Examples
    --------
    >>> training_mfu("a100-sxm-80gb").mid
    0.412
    """
    wanted = accelerator(accelerator_id).id
    mine = [row for row in rows("training") if row["accelerator"] == wanted]
    if not mine:
        known = ", ".join(sorted({row["accelerator"] for row in rows("training")}))
        raise InvalidInput(
            f"No utilisation of training on {wanted} is catalogued; there is {known}."
        )
    found = sorted(float(row["mfu_frac"]) for row in mine)
    newest = source(mine[-1])
    read = Source(f"{len(mine)} runs, last {newest.title}", newest.href, newest.date)
    return Estimate(found[0], statistics.median(found), found[-1], Grade.CITED, read)
