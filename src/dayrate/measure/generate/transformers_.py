"""Generation by Hugging Face transformers on torch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dayrate.catalog.hf_config import families
from dayrate.catalog.model import ModelSpec
from dayrate.catalog.models import model as catalogued
from dayrate.errors import InvalidInput, UnreadableConfig
from dayrate.measure.generate.ask import Sampling, allowed_context
from dayrate.measure.generate.convert import converted
from dayrate.measure.generate.counted import counted_flop
from dayrate.measure.generate.host import resident_bytes
from dayrate.measure.generate.trace import (
    Clock,
    Finish,
    Host,
    Message,
    Output,
    Prompt,
    Trace,
)
from dayrate.measure.models import ModelFiles, needed

__all__ = ["TransformersEngine", "load_transformers"]

DTYPES = ("auto", "float32", "bfloat16", "float16")
#: Layers of a cache that can be shortened; the state of others cannot be undone.
_CROPPABLE = {"DynamicLayer", "DynamicSlidingWindowLayer"}
DEVICES = ("auto", "cpu", "cuda")


def load_transformers(
    files: ModelFiles,
    *,
    threads: int,
    dtype: str,
    device: str,
    context_tokens: int | None = None,
) -> "TransformersEngine":
    """Load a folder of safetensors, or a GGUF file that is converted once."""
    begun = time.perf_counter()
    torch: Any = needed("torch", what="The backend transformers", extra="torch")
    hf: Any = needed("transformers", what="The backend transformers", extra="torch")
    hf.utils.logging.set_verbosity_error()
    hf.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    where = _device(torch, device)
    folder = converted(files, hf, torch) if files.is_gguf else files.path
    network, tokenizer = _loaded(hf, folder, "auto" if dtype == "auto" else dtype)
    network = network.to(where).eval()
    with torch.no_grad():  # what the first call sets up is no part of a measurement
        network(input_ids=torch.zeros((1, 1), dtype=torch.long, device=where))
    trained = getattr(network.config, "max_position_embeddings", None)
    host = Host(
        model=files.name,
        backend="transformers",
        device=_device_name(torch, where),
        dtype=str(network.dtype).removeprefix("torch."),
        threads=threads,
        context_tokens=allowed_context(context_tokens, trained) or trained,
        spec=_spec(folder),
        load_s=time.perf_counter() - begun,
    )
    return TransformersEngine(host, network, tokenizer, torch, hf)


def _spec(folder: Path) -> ModelSpec | None:
    """Shape of the model; None of a family that the catalogue would guess."""
    try:
        spec = catalogued(str(folder.resolve()))
    except UnreadableConfig:
        return None
    return spec if spec.model_type in families() else None


def _device(torch: Any, asked: str) -> str:
    has_gpu = torch.cuda.is_available()
    if asked == "cuda" and not has_gpu:
        raise InvalidInput("--device is cuda and torch sees no GPU; use --device cpu.")
    return "cuda" if has_gpu and asked != "cpu" else "cpu"


def _device_name(torch: Any, where: str) -> str:
    return torch.cuda.get_device_name() if where == "cuda" else "cpu"


def _loaded(hf: Any, folder: Path, dtype: str) -> tuple[Any, Any]:
    offline = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = hf.AutoConfig.from_pretrained(folder, **offline)
        if config.is_encoder_decoder:
            raise InvalidInput(
                f"{folder} is an encoder-decoder, which translates and does not "
                "continue text; give a decoder-only model."
            )
        tokenizer = hf.AutoTokenizer.from_pretrained(folder, **offline)
        network = hf.AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **offline
        )
    except InvalidInput:
        raise
    except Exception as error:  # a damaged folder fails in many libraries' ways
        raise InvalidInput(
            f"transformers cannot load {folder}: {_short(error)}. Check that it is "
            "whole and of a model family that this version of transformers knows."
        ) from error
    return network, tokenizer


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]


@dataclass(slots=True)
class _Kept:
    """Keys and values that the next turn of a conversation can start from."""

    ids: list[int]
    cache: Any

    def cropped_to(self, ids: list[int]) -> int:
        """Shorten the cache to what it shares with ``ids``, one left to compute."""
        shared = 0
        for ours, theirs in zip(self.ids, ids[:-1], strict=False):
            if ours != theirs:
                break
            shared += 1
        kinds = {type(layer).__name__ for layer in getattr(self.cache, "layers", ())}
        if not shared or kinds - _CROPPABLE:
            return 0
        surplus = self.cache.get_seq_length() - shared
        try:
            if surplus:
                self.cache.crop(-surplus)  # below zero: so many tokens less
        except RuntimeError:
            return 0  # a window that has moved on
        return shared


class TransformersEngine:
    """A model and its tokenizer; see `Engine`."""

    def __init__(
        self, host: Host, network: Any, tokenizer: Any, torch: Any, hf: Any
    ) -> None:
        self.host = host
        self._network, self._tokenizer = network, tokenizer
        self._torch, self._hf = torch, hf
        self._ends = _end_ids(network, tokenizer)
        self._kept: _Kept | None = None

    def conversation(self, messages: Sequence[Message]) -> Prompt:
        """Write a conversation as its model wants it."""
        if not self._tokenizer.chat_template:
            raise InvalidInput(
                f"{self.host.model} has no chat template: it continues text and does "
                "not converse. Use `dayrate measure generate`, or an instruct model."
            )
        try:
            text = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # a template raises what it likes
            raise InvalidInput(
                f"The chat template of {self.host.model} refuses the conversation: "
                f"{_short(error)}. Try it without --system."
            ) from error
        return Prompt(text, templated=True)

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt. [token]"""
        return len(self._ids(prompt))

    def complete(
        self,
        prompt: Prompt,
        new_tokens: int,
        sampling: Sampling,
        on_text: Callable[[str], None],
    ) -> Trace:
        """Continue a prompt; the text of several sequences comes at the end."""
        ids = self._ids(prompt)
        shared, cache = self._reusable(ids, sampling)
        if self.host.device != "cpu":
            self._torch.cuda.reset_peak_memory_stats()
        listener = _Listener(self, ids, sampling.width == 1, on_text)
        try:
            rows = self._generate(ids, new_tokens, sampling, listener, cache)
            stopped = False
        except KeyboardInterrupt:
            rows, stopped, self._kept = listener.rows, True, None
        done = listener.clock.finished(len(ids), shared, sampling.width)
        rows = rows[: sampling.num_return_sequences]
        outputs = tuple(self._output(ids, row, stopped=stopped) for row in rows)
        listener.finish(outputs)
        return Trace(
            outputs or (Output("", 0, Finish.INTERRUPTED),),
            (done,),
            listener.clock.peak_rss_bytes,
            self._gpu_bytes(),
        )

    def counted_flop(self, trace: Trace) -> int | None:
        """Operations of a run as torch counts them. [FLOP]"""
        return counted_flop(self._network.config, trace.passes, self._hf, self._torch)

    def decoded(self, ids: Sequence[int]) -> str:
        """Text of tokens, without special ones."""
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def now(self) -> None:
        """Wait until the device has done what it was given."""
        if self.host.device != "cpu":
            self._torch.cuda.synchronize()

    def going_on(self, rows: int) -> Any:
        """Answer, for each sequence, that it may go on."""
        device = self._network.device
        return self._torch.zeros(rows, dtype=self._torch.bool, device=device)

    def _ids(self, prompt: Prompt) -> list[int]:
        add = not prompt.templated
        ids: list[int] = self._tokenizer(prompt.text, add_special_tokens=add).input_ids
        return ids

    def _reusable(self, ids: list[int], sampling: Sampling) -> tuple[int, Any]:
        kept, self._kept = self._kept, None
        if kept is None or sampling.width > 1:
            return 0, None
        shared = kept.cropped_to(ids)
        return (shared, kept.cache) if shared else (0, None)

    def _generate(
        self,
        ids: list[int],
        new_tokens: int,
        sampling: Sampling,
        listener: "_Listener",
        cache: Any,
    ) -> list[list[int]]:
        torch, network = self._torch, self._network
        torch.manual_seed(sampling.seed)
        network.generation_config = self._config(new_tokens, sampling)
        input_ids = torch.tensor([ids], device=network.device)
        more = {} if cache is None else {"past_key_values": cache}
        result = network.generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            stopping_criteria=self._hf.StoppingCriteriaList([listener]),
            **more,
        )
        cache = getattr(result, "past_key_values", None)  # states are no such cache
        if sampling.width == 1 and cache is not None:
            self._kept = _Kept(result.sequences[0].tolist()[:-1], cache)
        rows: list[list[int]] = result.sequences.tolist()
        return rows

    def _config(self, new_tokens: int, sampling: Sampling) -> Any:
        chosen = {
            "temperature": sampling.temperature or 1.0,
            "top_p": sampling.top_p or 1.0,
            "top_k": sampling.top_k or 0,
        }
        return self._hf.GenerationConfig(
            max_new_tokens=new_tokens,
            do_sample=sampling.samples,
            num_beams=sampling.num_beams,
            early_stopping=sampling.early_stopping,
            no_repeat_ngram_size=sampling.no_repeat_ngram_size,
            num_return_sequences=sampling.num_return_sequences,
            eos_token_id=self._ends or None,
            pad_token_id=self._pad(),
            return_dict_in_generate=True,
            **(chosen if sampling.samples else {}),
        )

    def _pad(self) -> int:
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None else (self._ends or [0])[0]

    def _output(self, ids: list[int], row: list[int], *, stopped: bool) -> Output:
        new = row[len(ids) :]
        end = next((i for i, t in enumerate(new) if t in self._ends), None)
        kept = new if end is None else new[: end + 1]
        finish = Finish.LENGTH if end is None else Finish.STOP
        text = self.decoded([*ids, *kept])[len(self.decoded(ids)) :]
        return Output(text, len(kept), Finish.INTERRUPTED if stopped else finish)

    def _gpu_bytes(self) -> int | None:
        if self.host.device == "cpu":
            return None
        return int(self._torch.cuda.max_memory_allocated())


class _Listener:
    """Called after each step with all tokens so far: the clock, and the text."""

    def __init__(
        self,
        engine: TransformersEngine,
        ids: list[int],
        single: bool,
        on_text: Callable[[str], None],
    ) -> None:
        self._engine, self._on_text, self._single = engine, on_text, single
        self._told, self._read = max(0, len(ids) - 4), len(ids)
        self._written = ""
        self.rows: list[list[int]] = []
        self.clock = Clock(resident_bytes)

    def __call__(self, input_ids: Any, _scores: Any, **_rest: Any) -> Any:
        """Note the time, tell the text, and let the model go on."""
        self._engine.now()
        self.clock.tick()
        self.rows = input_ids.tolist()
        if self._single:
            self._tell(self.rows[0])
        return self._engine.going_on(len(self.rows))

    def finish(self, outputs: Sequence[Output]) -> None:
        """Tell what has not been told: the end of a character, or all of a text."""
        if self._single and outputs:
            self._say(outputs[0].text.removeprefix(self._written))

    def _tell(self, ids: list[int]) -> None:
        """Tell the new text, once its last character is whole.

        Some tokens before it are decoded again: spaces depend on the neighbour.
        """
        before = self._engine.decoded(ids[self._told : self._read])
        now = self._engine.decoded(ids[self._told :])
        if len(now) > len(before) and not now.endswith("\ufffd"):
            self._say(now[len(before) :])
            self._told, self._read = self._read, len(ids)

    def _say(self, text: str) -> None:
        self._written += text
        if text:
            self._on_text(text)


def _end_ids(network: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a text: the model's own, else the tokenizer's."""
    ends = network.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    if ends is None:
        return []
    return [ends] if isinstance(ends, int) else list(ends)
