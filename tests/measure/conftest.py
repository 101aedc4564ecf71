"""Small models with random weights: a GPT-2 in safetensors, a Llama in GGUF."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

TEXT = [
    "The quick brown fox jumps over the lazy dog. It cost three dollars a day.",
    "What does it cost to serve a language model for a day? 每天的算力成本是多少？",
    "大语言模型每天的推理成本，取决于模型大小、请求数量和电价。 Once upon a time.",
]
CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
VOCABULARY, END = 400, "<|endoftext|>"


@pytest.fixture(scope="session")
def torch() -> Any:
    """The library, imported once, on one thread."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def vocabulary() -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        TEXT, vocab_size=VOCABULARY, special_tokens=[END], show_progress=False
    )
    return tokenizer


@pytest.fixture(scope="session")
def gpt2(torch: Any, vocabulary: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder called gpt2, of GPT-2's shape in small."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=vocabulary.get_vocab_size(),
        n_positions=256,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,  # far enough from a tie that texts are the same
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=vocabulary._tokenizer, eos_token=END, bos_token=END
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_gguf(vocabulary: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with a chat template, as one file."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.F32.gguf", vocabulary)


def write_gguf(path: Path, vocabulary: Any, *, context: int = 256) -> Path:
    gguf = pytest.importorskip("gguf")
    hidden, layers, heads, inner = 32, 2, 2, 64
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_vocabulary(writer, vocabulary, gguf)
    rng = np.random.default_rng(0)
    size = vocabulary.get_vocab_size()
    _add(writer, "token_embd", rng.normal(size=(size, hidden)))
    _add(writer, "output_norm", np.ones(hidden))
    for i in range(layers):
        for name, shape in {
            "attn_q": (hidden, hidden),
            "attn_k": (hidden, hidden),
            "attn_v": (hidden, hidden),
            "attn_output": (hidden, hidden),
            "ffn_gate": (inner, hidden),
            "ffn_up": (inner, hidden),
            "ffn_down": (hidden, inner),
        }.items():
            _add(writer, f"blk.{i}.{name}", rng.normal(size=shape) / hidden**0.5)
        _add(writer, f"blk.{i}.attn_norm", np.ones(hidden))
        _add(writer, f"blk.{i}.ffn_norm", np.ones(hidden))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: Any, vocabulary: Any, gguf: Any) -> None:
    import json  # noqa: PLC0415

    known = json.loads(vocabulary._tokenizer.to_str())["model"]
    tokens = sorted(known["vocab"], key=known["vocab"].get)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if t == END else normal for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in known["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT)


def _add(writer: Any, name: str, values: Any) -> None:
    writer.add_tensor(f"{name}.weight", values.astype(np.float32))
