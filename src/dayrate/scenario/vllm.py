"""A pasted ``vllm serve …`` line as the model and deployment of a scenario."""

import json
import shlex
from collections.abc import Iterator

from dayrate.errors import InvalidInput
from dayrate.scenario.flags import nested
from dayrate.scenario.read import ScenarioFile

__all__ = ["from_vllm", "is_vllm"]

_SHORT = {
    "-tp": "tensor_parallel_size",
    "-pp": "pipeline_parallel_size",
    "-dp": "data_parallel_size",
    "-q": "quantization",
    "-ep": "enable_expert_parallel",
}
_TAKEN = (
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


def is_vllm(text: str) -> bool:
    """Whether ``text`` is such a line rather than the name of a scenario."""
    return text.split()[:2] == ["vllm", "serve"]


def from_vllm(line: str) -> tuple[ScenarioFile, tuple[str, ...]]:
    """Read the line; the second part names the options that do not bear on cost.

    Raises
    ------
    InvalidInput
        The line cannot be split into words, or an option has no value.

    Examples
    --------
    >>> file, ignored = from_vllm(
    ...     "vllm serve Qwen/Qwen3-8B -tp 2 --port 8000 --max-num-seqs=64")
    >>> file.sections["model"], file.sections["deployment"]
    ({'id': 'Qwen/Qwen3-8B'},
     {'engine': 'vllm', 'tensor_parallel_size': '2', 'max_num_seqs': '64'})
    >>> ignored
    ('--port',)
    """
    flags = {"engine": "vllm"}
    ignored: list[str] = []
    for option, value in _options(_words(line)):
        name = _SHORT.get(option, option.removeprefix("--").replace("-", "_"))
        if name == "speculative_config":
            flags |= _speculation(value or "")
        elif name not in _TAKEN:
            ignored.append(option)
        elif value is None and name != "enable_expert_parallel":
            raise InvalidInput(
                f"{option} of the vllm line has no value. Give one or leave it out."
            )
        elif value != "auto":  # vLLM's word for its default
            flags[name] = "true" if value is None else value
    return ScenarioFile("vllm", nested(flags)), tuple(ignored)


def _speculation(text: str) -> dict[str, str]:
    """Read vLLM's JSON on speculative decoding; what drafts decides the cost."""
    try:
        config = json.loads(text)
        method = str(config.get("method", "draft_model"))
        flags = {"num_speculative_tokens": str(config["num_speculative_tokens"])}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InvalidInput(
            f"--speculative-config of the vllm line is {text!r}; it must be JSON with "
            "num_speculative_tokens."
        ) from None
    one_layer = {"eagle": "eagle", "eagle3": "eagle", "ngram": "ngram"}
    kind = "eagle" if method.endswith("mtp") else one_layer.get(method, "draft")
    flags["speculative_method"] = kind
    if kind == "draft" and "model" in config:
        flags["speculative_model"] = str(config["model"])
    return flags


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line.replace("\\\n", " "))[2:]
    except ValueError as error:
        raise InvalidInput(
            f"The vllm line cannot be read: {str(error).lower()}. Check its quotes."
        ) from None


def _options(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """Pair options with their values; the bare first word is the model."""
    rest = iter(words)
    option: str | None = None
    if words and not words[0].startswith("-"):
        yield "--model", next(rest)
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
                f"{word!r} of the vllm line belongs to no option. Check the line."
            )
    if option is not None:
        yield option, None
