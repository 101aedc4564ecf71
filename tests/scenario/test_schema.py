import json
from typing import Any

import pytest
from pydantic import ValidationError

from dayrate.errors import InvalidInput
from dayrate.scenario.flags import FLAGS, nested, overlaid
from dayrate.scenario.schema import Scenario, scenario_from
from dayrate.units import DType

BAD: list[tuple[dict[str, Any], str]] = [
    ({"workloads": {}}, "workloads is not a key. Did you mean workload?"),
    ({"workload": {"ils": 5}}, "workload.ils is not a key. Did you mean isl?"),
    (
        {"deployment": {"server": {"cpu": 3}}},
        "deployment.server.cpu is not a key. Did you mean cpus?",
    ),
    (
        {"workload": {"isl": -1}},
        "workload.isl is -1: input should be greater than or equal to 1.",
    ),
    ({"workload": {"isl": float("nan")}}, "finite"),
    ({"workload": {"requests_per_day": float("inf")}}, "finite"),
    ({"workload": {"cached_input_frac": 1.5}}, "less than or equal to 1"),
    ({"slo": {"ttft_ms": "2 kW"}}, "ttft_ms is '2 kW'; it must be a quantity like ms."),
    ({"slo": {"percentile": 100}}, "less than 100"),
    ({"economics": {"electricity": "0.65 CNY/kg"}}, "electricity is '0.65 CNY/kg'"),
    ({"economics": {"currency": "XYZ"}}, "currency is 'XYZ'; give one of CNY, EUR"),
    ({"economics": {"pricing": "free"}}, "'on-demand', 'reserved-1y'"),
    ({"economics": {"pue": 0.9}}, "greater than or equal to 1"),
    ({"deployment": {"tensor_parallel_size": 0}}, "greater than 0"),
    ({"deployment": {"tensor_parallel_size": 2.5}}, "fractional part"),
    ({"deployment": {"server": {"accelerators": 8}}}, "no server.accelerator is named"),
    ({"model": {"quantization": "fp9"}}, "model.quantization is 'fp9'"),
    ({"model": "gpt2"}, "model is 'gpt2'"),
]


@pytest.mark.parametrize(("data", "sentence"), BAD, ids=[s for _, s in BAD])
def test_bad_input_is_a_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as error:
        scenario_from(data)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spelling", "dtype"),
    [("fp8", DType.FP8), ("AWQ", DType.INT4), ("bfloat16", DType.BF16)],
)
def test_vllm_spellings_of_formats(spelling: str, dtype: DType) -> None:
    assert (
        scenario_from({"model": {"quantization": spelling}}).model.quantization is dtype
    )


def test_what_was_given_reads_back_to_the_same_question() -> None:
    data = {
        "model": {"id": "gpt2", "quantization": "fp8"},
        "slo": {"ttft_ms": "2 s"},
        "economics": {"electricity": "0.65 CNY/kWh", "pricing": "owned"},
    }
    scenario = scenario_from(data)
    given = json.loads(json.dumps(scenario.given))
    assert scenario_from(given) == scenario
    assert set(given) == {"model", "slo", "economics"}


def test_a_scenario_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Scenario().title = "other"  # type: ignore[misc]


def test_the_schema_for_editors_names_every_section() -> None:
    schema = Scenario.model_json_schema()
    assert {"model", "workload", "slo", "deployment", "economics"} <= set(
        schema["properties"]
    )
    assert schema["additionalProperties"] is False


def test_flat_names_reach_every_key_once() -> None:
    assert len(set(FLAGS.values())) == len(FLAGS)
    for name, path in FLAGS.items():
        section: Any = Scenario
        for part in path[:-1]:
            annotation = section.model_fields[part].annotation
            options = getattr(annotation, "__args__", (annotation,))
            section = next(t for t in options if hasattr(t, "model_fields"))
        assert path[-1] in section.model_fields, name


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(InvalidInput, match="isll is not a key of a scenario"):
        nested({"isll": 3})


def test_flags_win_over_the_file() -> None:
    merged = overlaid({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}})
    assert merged == {"a": {"x": 1, "y": 5}, "b": 3}
