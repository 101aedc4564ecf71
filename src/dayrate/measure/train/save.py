"""Checkpoints on disk: whole or not at all."""

import shutil
import tempfile
from pathlib import Path

from dayrate.errors import InvalidInput
from dayrate.measure.train.loop import Trained

__all__ = ["save_checkpoint"]


def save_checkpoint(trained: Trained, folder: Path) -> None:
    """Write model and tokenizer; LoRA's matrices are added to the weights they adapt.

    Raises
    ------
    InvalidInput
        It cannot be written; nothing is left behind.
    """
    from safetensors import SafetensorError

    folder = folder.absolute()
    try:
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        model = trained.model
        whole = (
            model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
        )
        whole.save_pretrained(part, safe_serialization=True)
        trained.tokenizer.save_pretrained(part)
        part.chmod(0o755)
        part.replace(folder)
    except (OSError, SafetensorError) as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unwritable(folder: Path, error: Exception) -> InvalidInput:
    why = getattr(error, "strerror", None) or str(error)
    return InvalidInput(
        f"Cannot save in {folder}: {why}. Give a folder that can be made, on a disk "
        "with room."
    )
