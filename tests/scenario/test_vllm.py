import pytest

from dayrate.errors import InvalidInput
from dayrate.quoting import answer
from dayrate.scenario.vllm import from_vllm, is_vllm


def test_a_pasted_line_is_the_model_and_its_deployment() -> None:
    line = (
        "vllm serve meta-llama/Llama-3.1-70B-Instruct --tensor-parallel-size 8 \\\n"
        "  --kv-cache-dtype fp8 --max-num-seqs=128 --dtype auto -q fp8"
    )
    file, ignored = from_vllm(line)
    day = answer(file, {"isl": 1000, "osl": 200, "requests_per_day": 1e5})
    assert day.deployment.tensor_parallel_size == 8
    assert day.deployment.max_num_seqs == 128
    assert day.deployment.weights_dtype == day.deployment.kv_cache_dtype == "fp8"
    assert ignored == ("--dtype",)


def test_switches_and_auto() -> None:
    file, ignored = from_vllm(
        "vllm serve --model gpt2 --enable-expert-parallel --kv-cache-dtype auto "
        "--trust-remote-code"
    )
    assert file.sections == {
        "model": {"id": "gpt2"},
        "deployment": {"enable_expert_parallel": "true"},
    }
    assert ignored == ("--trust-remote-code",)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("vllm serve gpt2 --max-num-seqs", "--max-num-seqs of the vllm line has no"),
        ("vllm serve gpt2 'open", "cannot be read: no closing quotation"),
        ("vllm serve gpt2 stray", "'stray' of the vllm line belongs to no option"),
    ],
)
def test_a_broken_line_is_a_sentence(line: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        from_vllm(line)


def test_names_are_no_lines() -> None:
    assert not is_vllm("llama-3.1-70b-chat")
    assert not is_vllm("")
