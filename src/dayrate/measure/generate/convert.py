"""A GGUF file as a folder of safetensors, converted once and kept in a cache."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.measure.gguf import read_gguf
from dayrate.measure.models import ModelFiles, needed, user_cache_dir

__all__ = ["converted"]

_EDGE_BYTES = 2**20


def converted(files: ModelFiles, hf: Any, torch: Any) -> Path:
    """Return the folder with a GGUF model's weights, unpacked to 32 bits.

    Raises
    ------
    InvalidInput
        The file is damaged, of a family transformers cannot unpack, or the disk full.
    """
    folder = user_cache_dir() / "models" / _key(files.path)
    if (folder / "config.json").is_file():
        return folder
    read_gguf(files.path)
    needed("gguf", what="Converting a GGUF file", extra="torch")
    _save(*_unpacked(files.path, hf, torch), folder)
    return folder


def _key(path: Path) -> str:
    """Name a file by its beginning, end and size: all of it would take seconds."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size - _EDGE_BYTES))
        digest.update(file.read())
    return f"{path.stem}-{digest.hexdigest()[:12]}"


def _unpacked(path: Path, hf: Any, torch: Any) -> tuple[Any, Any]:
    where, named = str(path.parent), {"gguf_file": path.name}
    try:
        tokenizer = hf.AutoTokenizer.from_pretrained(where, **named)
        network = hf.AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, trust_remote_code=False, **named
        )
    except Exception as error:  # an unknown family fails in many ways
        raise InvalidInput(
            f"transformers cannot unpack {path} ({type(error).__name__}). "
            "Run it with --backend llamacpp."
        ) from error
    # The weights are plain numbers now; these marks would forbid to save them.
    network.hf_quantizer, network.is_quantized = None, False
    del network.config.quantization_config
    return network, tokenizer


def _save(network: Any, tokenizer: Any, folder: Path) -> None:
    """Write beside, then rename: a folder is there whole or not at all."""
    part: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        network.save_pretrained(part)
        tokenizer.save_pretrained(part)
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            _moved(part, folder)
    except Exception as error:  # safetensors has an error of its own for a full disk
        raise InvalidInput(
            f"Cannot save the converted model under {folder.parent}: {error}. Free "
            "some space, set XDG_CACHE_HOME to another disk, or use --backend llamacpp."
        ) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _moved(part: Path, folder: Path) -> None:
    try:
        os.replace(part, folder)
    except OSError:
        if not (folder / "config.json").is_file():  # else another process was first
            raise
