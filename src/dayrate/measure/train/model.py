"""The model that is trained: built from nothing, or a saved checkpoint; LoRA on it."""

import json
import warnings
from pathlib import Path
from typing import Any

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.train.job import Job, Objective

__all__ = ["adapted", "build_model", "config_of", "saved_tokenizer", "torch_modules"]

#: Where LoRA adds its pairs of narrow matrices, as in the paper: in attention.
_LORA_TARGETS = {"gpt2": ["c_attn"], "bert": ["query", "value"]}


def torch_modules() -> tuple[Any, Any]:
    """Torch and transformers, which take seconds to load.

    Raises
    ------
    MissingExtra
        One is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtra(what="Training a model", extra="torch") from None
    quiet: Any = transformers.utils.logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    return torch, transformers


def config_of(job: Job, tokenizer: Any) -> Any:
    """Config of a model of the job's shape, GPT-2's or BERT's."""
    from transformers import BertConfig, GPT2Config

    s = job.shape
    if job.objective is Objective.CAUSAL:
        return GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=job.context,
            n_embd=s.hidden,
            n_layer=s.layers,
            n_head=s.heads,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    return BertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=job.context,
        hidden_size=s.hidden,
        num_hidden_layers=s.layers,
        num_attention_heads=s.heads,
        intermediate_size=4 * s.hidden,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_model(job: Job, config: Any) -> Any:
    """Build a model with random weights, or read the checkpoint's."""
    from safetensors import SafetensorError

    kind = _class_of(job.objective)
    if job.start is None:
        return kind(config)
    _check_kind(job.start, kind.config_class.model_type, job.objective)
    try:
        return kind.from_pretrained(
            job.start, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise _unreadable(job.start, error) from None


def adapted(model: Any, job: Job) -> Any:
    """Freeze the model and train narrow matrices beside its attention instead.

    E. Hu et al., "LoRA", 2021, arXiv:2106.09685.
    """
    if job.lora_rank is None:
        return model
    try:
        import peft
    except ImportError:
        raise MissingExtra(what="LoRA", extra="torch") from None
    kind = model.config.model_type
    settings = peft.LoraConfig(
        r=job.lora_rank,
        lora_alpha=2 * job.lora_rank,
        target_modules=_LORA_TARGETS[kind],
        fan_in_fan_out=kind == "gpt2",
    )
    with warnings.catch_warnings():  # peft asks for an old name of transformers
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(model, settings)


def saved_tokenizer(folder: Path) -> Any:
    """Read the tokenizer that was saved with a checkpoint."""
    from transformers import AutoTokenizer

    if not (folder / "config.json").is_file():
        raise InvalidInput(
            f"{folder} holds no checkpoint: config.json is missing. Give a folder that "
            "--save wrote, or one in the layout of transformers."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _class_of(objective: Objective) -> Any:
    from transformers import BertForPreTraining, GPT2LMHeadModel

    return GPT2LMHeadModel if objective is Objective.CAUSAL else BertForPreTraining


def _check_kind(folder: Path, wanted: str, objective: Objective) -> None:
    found = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    if found != wanted:
        raise InvalidInput(
            f"{folder} holds a model of type {found}; --objective {objective.value} "
            f"trains one of type {wanted}. Give the other objective or checkpoint."
        )


def _unreadable(folder: Path, error: Exception) -> InvalidInput:
    first = str(error).strip().split("\n")[0].rstrip(".")
    return InvalidInput(
        f"Cannot read the checkpoint in {folder}: {first}. Give a folder with "
        "config.json, tokenizer files and model.safetensors."
    )
