import pytest

from dayrate.errors import InvalidInput
from dayrate.quoting import answer
from dayrate.scenario.launch import from_launch, is_launch


def test_a_pasted_line_is_the_model_and_its_deployment() -> None:
    line = (
        "vllm serve meta-llama/Llama-3.1-70B-Instruct --tensor-parallel-size 8 \\\n"
        "  --kv-cache-dtype fp8 --max-num-seqs=128 --dtype auto -q fp8"
    )
    file, ignored = from_launch(line)
    day = answer(file, {"isl": 1000, "osl": 200, "requests_per_day": 1e5})
    assert day.deployment.tensor_parallel_size == 8
    assert day.deployment.max_num_seqs == 128
    assert day.deployment.weights_dtype == day.deployment.kv_cache_dtype == "fp8"
    assert ignored == ("--dtype",)


def test_switches_and_auto() -> None:
    file, ignored = from_launch(
        "vllm serve --model gpt2 --enable-expert-parallel --kv-cache-dtype auto "
        "--trust-remote-code"
    )
    assert file.sections == {
        "model": {"id": "gpt2"},
        "deployment": {"engine": "vllm", "enable_expert_parallel": "true"},
    }
    assert ignored == ("--trust-remote-code",)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("vllm serve gpt2 --max-num-seqs", "--max-num-seqs of the pasted line has no"),
        ("vllm serve gpt2 'open", "cannot be read: no closing quotation"),
        ("vllm serve gpt2 stray", "'stray' of the pasted line belongs to no option"),
    ],
)
def test_a_broken_line_is_a_sentence(line: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        from_launch(line)


@pytest.mark.parametrize(
    ("line", "engine"),
    [
        (
            "python -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 2 "
            "--max-running-requests 64 --context-length 4096 --chunked-prefill-size "
            "4096 --mem-fraction-static=0.85 --port 30000",
            "sglang",
        ),
        (
            " sglang  serve --model-path Qwen/Qwen3-8B --tp-size 2 --port 30000 "
            "--max-running-requests 64 --context-length 4096 "
            "--chunked-prefill-size 4096 --mem-fraction-static 0.85",
            "sglang",
        ),
        (
            "trtllm-serve Qwen/Qwen3-8B --tp_size 2 --max_batch_size 64 "
            "--max_num_tokens 4096 --max_seq_len 4096 --port 8000",
            "tensorrt-llm",
        ),
        (
            "trtllm-serve serve Qwen/Qwen3-8B --tp_size 2 --max_batch_size 64 "
            "--max_num_tokens 4096 --max_seq_len 4096 --port 8000",
            "tensorrt-llm",
        ),
    ],
)
def test_lines_of_other_engines(line: str, engine: str) -> None:
    assert is_launch(line)
    file, ignored = from_launch(line)
    day = answer(file, {"isl": 1000, "osl": 200, "requests_per_day": 1e5})
    d = day.deployment
    assert (d.engine, d.model, d.tensor_parallel_size) == (engine, "Qwen/Qwen3-8B", 2)
    assert (d.max_num_seqs, d.max_num_batched_tokens) == (64, 4096)
    assert day.scenario.model.max_model_len == 4096
    assert d.gpu_memory_utilization == (0.85 if engine == "sglang" else 1.0)
    assert ignored == ("--port",)


def test_names_are_no_lines() -> None:
    assert not is_launch("llama-3.1-70b-chat")
    assert not is_launch("")
