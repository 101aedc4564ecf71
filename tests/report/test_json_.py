import dataclasses
import json

import pytest

from dayrate.report.json_ import to_json
from dayrate.scenario.answer import Quote

REQUIRED = {
    "deployment": {"accelerator", "accelerators", "replicas", "tensor_parallel_size"},
    "serving": {
        "requests_per_day",
        "input_tokens_per_day",
        "output_tokens_per_day",
        "ttft_ms",
        "tpot_ms",
        "tokens_per_s_per_accelerator",
        "utilisation",
    },
    "energy": {"kwh_per_day", "wh_per_request"},
    "cost": {
        "terms_usd_per_day",
        "total_usd_per_day",
        "usd_per_request",
        "usd_per_million_input_tokens",
        "usd_per_million_output_tokens",
    },
}


def test_the_promised_keys_are_there(quote: Quote) -> None:
    document = json.loads(to_json(quote.to_dict()))
    for section, keys in REQUIRED.items():
        assert keys <= document[section].keys()
    assert {"scenario", "evidence", "omissions"} <= document.keys()


def test_the_total_is_the_sum_of_the_terms(quote: Quote) -> None:
    cost = json.loads(to_json(quote.to_dict()))["cost"]
    assert cost["total_usd_per_day"] == sum(cost["terms_usd_per_day"].values())


def test_unknown_is_null(quote: Quote) -> None:
    document = json.loads(to_json(quote.to_dict()))
    assert document["energy"]["kg_co2_per_day"] is None


def test_nan_never_gets_out(quote: Quote) -> None:
    energy = dataclasses.replace(quote.energy, kwh_per_day=float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(quote, energy=energy).to_dict())
