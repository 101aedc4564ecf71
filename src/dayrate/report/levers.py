"""Which flag of the command line changes a figure."""

from dayrate.evidence import Line
from dayrate.report.labels import bare
from dayrate.scenario.flags import FLAGS

__all__ = ["flag_of"]

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
    "usd_per_kwh": "electricity",
}
_BY_PATH = {".".join(path): flag for flag, path in FLAGS.items()}
_BY_KEY = {path[-1]: flag for flag, path in FLAGS.items() if len(path) == 2}


def flag_of(line: Line) -> str:
    """Return the flag that changes a line of the working; empty if none does.

    Examples
    --------
    >>> from dayrate.evidence import Grade
    >>> flag_of(Line("economics.pue", 1.3, "1", Grade.ASSUMED))
    '--pue'
    >>> flag_of(Line("workload.burst", 1.3, "1", Grade.ASSUMED))
    '--day-shape'
    """
    last = line.name.rpartition(".")[2]
    keys = (last, bare(last), _SAME_AS.get(last, ""))
    flags = [_BY_PATH.get(line.name), *(_BY_KEY.get(k) for k in keys)]
    flags += [k for k in keys if k in FLAGS]
    found = next((flag for flag in flags if flag), "")
    return f"--{found.replace('_', '-')}" if found else ""
