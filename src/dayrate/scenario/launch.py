"""A pasted line that starts a server as the model and deployment of a scenario."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dayrate.errors import InvalidInput
from dayrate.scenario.flags import nested
from dayrate.scenario.read import ScenarioFile

__all__ = ["from_launch", "is_launch"]


@dataclass(frozen=True, slots=True)
class _Launcher:
    """How a line of an engine begins, and which of its options are flags here."""

    engine: str
    begins: re.Pattern[str]
    options: Mapping[str, str]


_MODEL = "MODEL"
_VLLM_ALIKE = (
    "model",
    "quantization",
    "kv_cache_dtype",
    "max_model_len",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "enable_expert_parallel",
    "max_num_seqs",
    "max_num_batched_tokens",
    "gpu_memory_utilization",
)
_LAUNCHERS = (
    _Launcher(
        "vllm",
        re.compile(r"vllm\s+serve\b"),
        {name: name for name in _VLLM_ALIKE}
        | {
            "tp": "tensor_parallel_size",
            "pp": "pipeline_parallel_size",
            "dp": "data_parallel_size",
            "q": "quantization",
            "ep": "enable_expert_parallel",
            "speculative_config": "speculative_config",
        },
    ),
    # its --dp is whole copies, unless attention alone is spread: left to --replicas
    _Launcher(
        "sglang",
        re.compile(r"(python3?\s+-m\s+sglang\.launch_server|sglang\s+serve)\b"),
        {
            "model": "model",
            "model_path": "model",
            "quantization": "quantization",
            "kv_cache_dtype": "kv_cache_dtype",
            "context_length": "max_model_len",
            "tp": "tensor_parallel_size",
            "tp_size": "tensor_parallel_size",
            "tensor_parallel_size": "tensor_parallel_size",
            "pp_size": "pipeline_parallel_size",
            "pipeline_parallel_size": "pipeline_parallel_size",
            "max_running_requests": "max_num_seqs",
            "chunked_prefill_size": "max_num_batched_tokens",
            "mem_fraction_static": "gpu_memory_utilization",
        },
    ),
    _Launcher(
        "tensorrt-llm",
        re.compile(r"trtllm-serve(\s+serve)?\b"),
        {
            "max_seq_len": "max_model_len",
            "tp_size": "tensor_parallel_size",
            "pp_size": "pipeline_parallel_size",
            "max_batch_size": "max_num_seqs",
            "max_num_tokens": "max_num_batched_tokens",
        },
    ),
)


def is_launch(text: str) -> bool:
    """Whether ``text`` is such a line rather than the name of a scenario."""
    return _launcher(text) is not None


def from_launch(line: str) -> tuple[ScenarioFile, tuple[str, ...]]:
    """Read the line; the second part names the options that do not bear on cost.

    Raises
    ------
    InvalidInput
        The line cannot be split into words, or an option has no value.

    Examples
    --------
    >>> file, ignored = from_launch(
    ...     "vllm serve Qwen/Qwen3-8B -tp 2 --port 8000 --max-num-seqs=64")
    >>> file.sections["model"]
    {'id': 'Qwen/Qwen3-8B'}
    >>> file.sections["deployment"]
    {'engine': 'vllm', 'tensor_parallel_size': '2', 'max_num_seqs': '64'}
    >>> ignored
    ('--port',)
    """
    launcher = _launcher(line)
    assert launcher is not None, "not asked of other text"
    flags = {"engine": launcher.engine}
    ignored: list[str] = []
    for option, value in _options(
        _words(launcher.begins.sub("", line.strip(), count=1))
    ):
        name = _flag(launcher, option)
        if name == "speculative_config":
            flags |= _speculation(value or "")
        elif name is None:
            ignored.append(option)
        elif value is None and name != "enable_expert_parallel":
            raise InvalidInput(
                f"{option} of the pasted line has no value. Give one or leave it out."
            )
        elif value != "auto":  # the engines' word for their default
            flags[name] = "true" if value is None else value
    return ScenarioFile(launcher.engine, nested(flags)), tuple(ignored)


def _launcher(text: str) -> _Launcher | None:
    return next((x for x in _LAUNCHERS if x.begins.match(text.strip())), None)


def _flag(launcher: _Launcher, option: str) -> str | None:
    """Name the flag here; the model may also come first, without an option."""
    if option == _MODEL:
        return "model"
    return launcher.options.get(option.lstrip("-").replace("-", "_"))


def _speculation(text: str) -> dict[str, str]:
    """Read vLLM's JSON on speculative decoding; what drafts decides the cost."""
    try:
        config = json.loads(text)
        method = str(config.get("method", "draft_model"))
        flags = {"num_speculative_tokens": str(config["num_speculative_tokens"])}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InvalidInput(
            f"--speculative-config of the pasted line is {text!r}; it must be JSON "
            "with num_speculative_tokens."
        ) from None
    one_layer = {"eagle": "eagle", "eagle3": "eagle", "ngram": "ngram"}
    kind = "eagle" if method.endswith("mtp") else one_layer.get(method, "draft")
    flags["speculative_method"] = kind
    if kind == "draft" and "model" in config:
        flags["speculative_model"] = str(config["model"])
    return flags


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line.replace("\\\n", " "))
    except ValueError as error:
        raise InvalidInput(
            f"The pasted line cannot be read: {str(error).lower()}. Check its quotes."
        ) from None


def _options(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """Pair options with their values; the bare first word is the model."""
    rest = iter(words)
    option: str | None = None
    if words and not words[0].startswith("-"):
        yield _MODEL, next(rest)
    for word in rest:
        if word.startswith("-"):
            if option is not None:
                yield option, None
            option, equals, value = word.partition("=")
            if equals:
                yield option, value
                option = None
        elif option is not None:
            yield option, word
            option = None
        else:
            raise InvalidInput(
                f"{word!r} of the pasted line belongs to no option. Check the line."
            )
    if option is not None:
        yield option, None
