"""transformers on a small GPT-2: texts as Hugging Face's own, times, refusals."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dayrate.errors import InvalidInput, UnreadableConfig
from dayrate.measure.generate import transformers_
from dayrate.measure.generate.ask import Lengths, Sampling
from dayrate.measure.generate.run import Setup, generate, load
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Finish, Prompt
from dayrate.measure.generate.transformers_ import TransformersEngine

PROMPT = Prompt("The quick brown")
CHINESE = "大语言模型每天"


@pytest.fixture(scope="module")
def engine(gpt2: Path) -> TransformersEngine:
    loaded = load(Setup(str(gpt2), threads=1))
    assert isinstance(loaded, TransformersEngine)
    return loaded


@pytest.fixture(scope="module")
def reference(gpt2: Path, torch: Any) -> Any:
    """The same model, called as its documentation says."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(gpt2)
    network = transformers.AutoModelForCausalLM.from_pretrained(gpt2)

    def call(text: str, **how: Any) -> list[str]:
        ids = tokenizer(text, return_tensors="pt").input_ids
        rows = network.generate(ids, pad_token_id=0, do_sample=False, **how)
        return [tokenizer.decode(row, skip_special_tokens=True) for row in rows]

    return call


def nobody(_text: str) -> None:
    pass


#: The three calls of the articles, small enough for the small model.
CALLS = {
    "greedy to a length": (PROMPT.text, {"max_length": 20}),
    "no pair twice": (PROMPT.text, {"max_length": 50, "no_repeat_ngram_size": 2}),
    "beams": (CHINESE, {"max_length": 100, "num_beams": 5, "early_stopping": True}),
}


@pytest.mark.parametrize(("text", "how"), CALLS.values(), ids=CALLS)
def test_texts_are_those_of_hugging_face(
    text: str, how: dict[str, Any], engine: TransformersEngine, reference: Any
) -> None:
    rest = {k: v for k, v in how.items() if k != "max_length"}
    lengths = Lengths(max_length=how["max_length"])
    figures = generate(
        engine, text, lengths, Sampling(**rest), Tariff(), on_text=nobody
    )
    (output,) = figures.trace.outputs
    assert [text + output.text] == reference(text, **how)


def test_what_streams_is_the_text(engine: TransformersEngine) -> None:
    parts: list[str] = []
    trace = engine.complete(PROMPT, 60, Sampling(temperature=1.5), parts.append)
    (output,), (one,) = trace.outputs, trace.passes
    assert "".join(parts) == output.text
    assert output.tokens == len(one.step_s)
    assert list(one.step_s) == sorted(one.step_s)
    assert trace.peak_rss_bytes > 10**6


def test_a_seed_repeats_and_another_does_not(engine: TransformersEngine) -> None:
    drawn = [
        engine.complete(PROMPT, 12, Sampling(temperature=1.0, seed=s), nobody)
        for s in (1, 1, 2)
    ]
    texts = [d.outputs[0].text for d in drawn]
    assert texts[0] == texts[1] != texts[2]


def test_several_texts_and_their_lengths(engine: TransformersEngine) -> None:
    sampling = Sampling(top_k=50, num_return_sequences=3)
    trace = engine.complete(PROMPT, 12, sampling, nobody)
    assert len({o.text for o in trace.outputs}) == 3
    assert all(1 <= o.tokens <= 12 for o in trace.outputs)
    assert trace.passes[0].width == 3


def test_beams_give_as_many_texts_as_asked(engine: TransformersEngine) -> None:
    sampling = Sampling(num_beams=4, num_return_sequences=2)
    trace = engine.complete(PROMPT, 8, sampling, nobody)
    assert len({o.text for o in trace.outputs}) == 2


def test_a_kept_cache_changes_no_text(gpt2: Path) -> None:
    engine = load(Setup(str(gpt2), threads=1))
    first = engine.complete(PROMPT, 8, Sampling(), nobody)
    longer = Prompt(PROMPT.text + first.outputs[0].text + " day. It cost")
    again = engine.complete(longer, 8, Sampling(), nobody)
    fresh = load(Setup(str(gpt2), threads=1)).complete(longer, 8, Sampling(), nobody)
    assert again.passes[0].cached_tokens >= first.passes[0].prompt_tokens
    assert fresh.passes[0].cached_tokens == 0
    assert again.outputs[0].text == fresh.outputs[0].text
    other = engine.complete(Prompt("What does it"), 8, Sampling(), nobody)
    assert other.passes[0].cached_tokens < other.passes[0].prompt_tokens


def test_a_state_that_cannot_be_undone_is_not_reused(
    gpt2: Path, tmp_path: Path, torch: Any
) -> None:
    """Mamba keeps one state, not keys and values of each token."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "mamba"
    shutil.copytree(gpt2, folder)
    config = transformers.MambaConfig(
        hidden_size=16,
        num_hidden_layers=2,
        vocab_size=400,
        eos_token_id=0,
        pad_token_id=0,
        bos_token_id=0,
    )
    transformers.MambaForCausalLM(config).save_pretrained(folder)
    engine = load(Setup(str(folder), threads=1))
    for text in (PROMPT.text, f"{PROMPT.text} fox"):
        trace = engine.complete(Prompt(text), 4, Sampling(), nobody)
        assert trace.passes[0].cached_tokens == 0
    assert engine.host.spec is None
    assert engine.counted_flop(trace) is None


def test_ctrl_c_keeps_what_came(engine: TransformersEngine) -> None:
    parts: list[str] = []

    def impatient(text: str) -> None:
        parts.append(text)
        if len(parts) == 3:
            raise KeyboardInterrupt

    trace = engine.complete(PROMPT, 100, Sampling(), impatient)
    assert trace.outputs[0].finish is Finish.INTERRUPTED
    assert trace.outputs[0].text.startswith("".join(parts[:3]))
    assert trace.outputs[0].tokens < 100
    assert engine.complete(PROMPT, 3, Sampling(), nobody).outputs[0].tokens == 3


def test_a_model_without_a_template_does_not_converse(
    engine: TransformersEngine,
) -> None:
    with pytest.raises(InvalidInput, match="no chat template"):
        engine.conversation([{"role": "user", "content": "hi"}])


def test_a_gguf_file_is_converted_once(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    torch: Any,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = Setup(str(tiny_gguf), "transformers", threads=1)
    first = load(asked).complete(PROMPT, 8, Sampling(), nobody)
    (folder,) = (tmp_path / "dayrate" / "models").iterdir()
    assert (folder / "model.safetensors").is_file()
    written = folder.stat().st_mtime_ns
    engine = load(asked)
    assert engine.complete(PROMPT, 8, Sampling(), nobody).outputs == first.outputs
    assert folder.stat().st_mtime_ns == written
    assert engine.conversation([{"role": "user", "content": "a"}]).text == (
        "<user>a\n<assistant>"
    )


def test_both_backends_say_the_same(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: Any
) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    texts = {
        load(Setup(str(tiny_gguf), backend, threads=1))
        .complete(PROMPT, 10, Sampling(), nobody)
        .outputs[0]
        .text
        for backend in ("transformers", "llamacpp")
    }
    assert len(texts) == 1


def test_a_full_disk_leaves_no_part(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: Any
) -> None:
    transformers = pytest.importorskip("transformers")

    def full(*_args: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(transformers.PreTrainedModel, "save_pretrained", full)
    with pytest.raises(InvalidInput, match=r"No space left on device.*XDG_CACHE_HOME"):
        load(Setup(str(tiny_gguf), "transformers", threads=1))
    assert list((tmp_path / "dayrate" / "models").iterdir()) == []


def test_damaged_safetensors_are_a_sentence(gpt2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(gpt2, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InvalidInput, match="transformers cannot load"):
        load(Setup(str(folder), threads=1))


def test_an_encoder_decoder_is_refused(tmp_path: Path, gpt2: Path) -> None:
    folder = tmp_path / "t5"
    shutil.copytree(gpt2, folder)
    (folder / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(InvalidInput, match="encoder-decoder"):
        load(Setup(str(folder), threads=1))


def test_a_shorter_context_is_kept_to(gpt2: Path) -> None:
    engine = load(Setup(str(gpt2), threads=1, max_model_len=20))
    with pytest.raises(InvalidInput, match="than the context of 20"):
        generate(
            engine, "a", Lengths(max_length=21), Sampling(), Tariff(), on_text=nobody
        )
    with pytest.raises(InvalidInput, match="trained for 256"):
        load(Setup(str(gpt2), threads=1, max_model_len=257))


def test_a_family_of_unknown_shape_still_runs(
    gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_name: str) -> None:
        raise UnreadableConfig("no reader")

    monkeypatch.setattr(transformers_, "catalogued", unreadable)
    engine = load(Setup(str(gpt2), threads=1))
    figures = generate(
        engine,
        PROMPT.text,
        Lengths(max_new_tokens=3),
        Sampling(),
        Tariff(),
        on_text=nobody,
    )
    assert figures.prefill_flop is None
    assert figures.counted_flop is not None
    assert engine.host.context_tokens == 256


def test_a_template_that_refuses_is_a_sentence(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{{ raise_exception('System role not supported') }}"
    monkeypatch.setattr(engine._tokenizer, "chat_template", template)
    with pytest.raises(InvalidInput, match="System role not supported"):
        engine.conversation([{"role": "system", "content": "hi"}])


def test_a_gpu_that_is_not_there(gpt2: Path, torch: Any) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(InvalidInput, match="sees no GPU"):
        load(Setup(str(gpt2), device="cuda", threads=1))


def test_llamacpp_reads_no_folders(gpt2: Path) -> None:
    with pytest.raises(InvalidInput, match="use --backend transformers"):
        load(Setup(str(gpt2), "llamacpp"))
