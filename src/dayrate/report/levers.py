"""Which flag of the command line changes a figure."""

import re

from dayrate.evidence import Line
from dayrate.report.labels import bare
from dayrate.scenario.flags import FLAGS

__all__ = ["flag_of", "reason_of"]

#: Reasons may end with the flags to set; they are then shown apart.
_ADVICE = re.compile(r"[;,:] set (--.+)$")

#: Names in the working that a flag of another name decides.
_SAME_AS = {
    "usd_per_accelerator_hour": "gpu_hour_price",
    "input_tokens_per_request": "isl",
    "output_tokens_per_request": "osl",
    "requests_per_user_per_day": "requests_per_user",
    "peak_hour_over_mean": "day_shape",
    "burst": "day_shape",
    "weights_dtype": "quantization",
    "currency_per_usd": "fx",
    "usd_per_staff_year": "staff_per_year",
    "staff_per_mw": "staff_fte",
    "usd_per_server": "server_price",
    "spares_frac": "availability",
    "carbon_kg_per_kwh": "carbon_g_per_kwh",
    "colocation_usd_per_kw_month": "colocation",
    "storage_usd_per_tb_month": "storage_per_tb_month",
    "egress_usd_per_gb": "egress_per_gb",
}
_BY_PATH = {".".join(path): flag for flag, path in FLAGS.items()}
_BY_KEY = {path[-1]: flag for flag, path in FLAGS.items() if len(path) == 2}


def flag_of(line: Line) -> str:
    """Return the flags that change a line of the working; empty if none does.

    Examples
    --------
    >>> from dayrate.evidence import Grade
    >>> flag_of(Line("economics.pue", 1.3, "1", Grade.ASSUMED))
    '--pue'
    >>> flag_of(Line("workload.burst", 1.3, "1", Grade.ASSUMED))
    '--day-shape'
    """
    advised = _ADVICE.search(line.source)
    if advised:
        return ", ".join(re.findall(r"--[\w-]+", advised.group(1)))
    section, _dot, last = line.name.rpartition(".")
    if not section:  # a figure of a published estimate
        return ""
    keys = (last, bare(last), _SAME_AS.get(last, ""))
    flags = [_BY_PATH.get(line.name), *(_BY_KEY.get(k) for k in keys)]
    flags += [k for k in keys if k in FLAGS]
    found = next((flag for flag in flags if flag), "")
    return f"--{found.replace('_', '-')}" if found else ""


def reason_of(line: Line) -> str:
    """Return the source of a line without the flags that it advises.

    >>> from dayrate.evidence import Grade
    >>> reason_of(Line("a", 1.0, "1", Grade.ASSUMED, "often rented; set --pue"))
    'often rented'
    """
    return _ADVICE.sub("", line.source)
