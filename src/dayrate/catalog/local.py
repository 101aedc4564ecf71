"""The user's machine, as `dayrate measure calibrate` found it, as a device.

Its rows look like those that ship and lie in the user's configuration folder, a file
for each engine: rates of the device, power, and the coefficients of that engine.
"""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dayrate.catalog.store import Row, parse_rows
from dayrate.errors import InvalidInput

__all__ = [
    "LOCAL_IDS",
    "config_folder",
    "is_local",
    "local_file",
    "local_host_row",
    "local_rows",
]

#: What a calibration may be named by, and the engine that it is of.
LOCAL_IDS: Mapping[str, str] = {
    "this-machine": "llama.cpp",
    "this-machine-transformers": "transformers",
}
_SECTIONS = ("accelerators", "servers", "calibration")


def config_folder() -> Path:
    """Return the folder of the user's own files; it may not exist yet.

    ``DAYRATE_CONFIG_DIR``, else ``dayrate`` in ``XDG_CONFIG_HOME`` or ``~/.config``.
    """
    own = os.environ.get("DAYRATE_CONFIG_DIR")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "dayrate"


def is_local(name: str) -> bool:
    """Whether a name means this machine."""
    return _plain(name) in LOCAL_IDS


def local_file(name: str) -> Path:
    """Return the path of a calibration, which need not exist."""
    return config_folder() / f"{_plain(name)}.yaml"


def local_rows(name: str) -> Mapping[str, tuple[Row, ...]]:
    """Read the rows of a calibration by section, as the shipped data has them.

    Raises
    ------
    InvalidInput
        The machine was not calibrated, or the file is damaged.
    """
    file = local_file(name)
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError:
        engine = LOCAL_IDS[_plain(name)]
        raise InvalidInput(
            f"This machine is not calibrated for {engine}: there is no {file}. Run "
            f"`dayrate measure calibrate --engine {engine}` first."
        ) from None


def local_host_row(name: str) -> Row:
    """Return the row of the engine itself: its name, threads, limits, overheads."""
    rows = local_rows(name)["calibration"]
    return next(r for r in rows if r["operation"] == "host")


@functools.lru_cache(maxsize=len(LOCAL_IDS))
def _read(file: Path, _changed_ns: int) -> Mapping[str, tuple[Row, ...]]:
    try:
        data: Any = parse_rows(file.read_text(encoding="utf-8"))
        return {key: tuple(dict(row) for row in data[key]) for key in _SECTIONS}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise InvalidInput(
            f"{file} is damaged. Run `dayrate measure calibrate` again."
        ) from None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")
