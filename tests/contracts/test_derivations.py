"""Every derivation that is printed gives the number that is printed."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import simpleeval

from dayrate.evidence import Ledger
from dayrate.quoting import quote
from dayrate.scenario.read import shipped_scenarios

LLAMA: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "isl": 1155,
    "osl": 211,
    "requests_per_day": 500_000,
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "rented": LLAMA,
    "owned in yuan": {
        **LLAMA,
        "pricing": "owned",
        "currency": "CNY",
        "fx": 7.2,
        "electricity": "0.65 CNY/kWh",
    },
    "without interest": {**LLAMA, "pricing": "owned", "discount_rate": 0},
    "a fleet that follows the hours": {**LLAMA, "scaling": "hourly"},
    "a held size": {**LLAMA, "accelerators": 16, "tensor_parallel_size": 4},
    "held replicas": {**LLAMA, "replicas": 4},
    "one seller's instance": {
        **LLAMA,
        "offer": "aws/us-east-1/p5.48xlarge/on-demand",
        "replicas": 3,
    },
    "with everything beside": {
        **LLAMA,
        "staff_fte": 0.5,
        "staff_per_year": 200_000,
        "software_per_year": "70000 CNY/year",
        "data_per_year": 1e4,
        "stored_tb": 10,
        "storage_per_tb_month": 23,
        "egress_gb_per_day": 100,
        "egress_per_gb": 0.09,
    },
    "a mixture of experts": {
        "model": "deepseek-ai/DeepSeek-R1",
        "accelerator": "h200",
        "preset": "reasoning",
        "users": 100_000,
        "requests_per_user": 5,
        "cached_input_frac": 0.5,
    },
    "another engine": {**LLAMA, "engine": "tensorrt-llm"},
    "a simulated day": {**LLAMA, "requests_per_day": 1000, "simulate": True},
    "a simulated fleet that follows its load": {
        **LLAMA,
        "requests_per_day": 1000,
        "simulate": True,
        "autoscale": "reactive",
        "min_replicas": 0,
        "pricing": "owned",
    },
    "a server from parts": {
        "cpus": 32,
        "memory_gb": 128,
        "storage_tb": 1,
        "network_mbps": 1000,
        "server_accelerator": "h100",
        "server_accelerators": 8,
        "parts_price": 300_000,
    },
}


def nested_values(ledger: Ledger) -> Mapping[str, Any]:
    """Dotted names as nested dictionaries, which is how an evaluator reads them."""
    tree: dict[str, Any] = {}
    for line in ledger:
        *path, last = line.name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = line.value
    return tree


def complaints(ledger: Ledger) -> list[str]:
    functions = {"min": min, "max": max, "ceil": math.ceil, "floor": math.floor}
    functions |= {"sqrt": math.sqrt, "log": math.log, "exp": math.exp}
    evaluator = simpleeval.EvalWithCompoundTypes(
        names=nested_values(ledger), functions=functions
    )
    bad = []
    for line in ledger:
        if not line.formula or line.value is None:
            continue
        value = evaluator.eval(line.formula)
        if value != pytest.approx(line.value, rel=1e-9):
            bad.append(f"{line.name} is {line.value}; {line.formula} gives {value}")
    return bad


@pytest.mark.parametrize("flags", QUESTIONS.values(), ids=QUESTIONS)
def test_each_formula_gives_its_value(flags: dict[str, Any]) -> None:
    answer = quote(**flags)
    assert not complaints(answer.ledger)
    assert sum(1 for line in answer.ledger if line.formula) > 5


@pytest.mark.parametrize("scenario", shipped_scenarios(), ids=lambda s: s.id)
def test_shipped_scenarios_too(scenario: Any) -> None:
    answer = quote(scenario)
    assert not complaints(answer.ledger)
    if answer.engine is not None:
        assert not complaints(answer.engine.ledger)


def test_a_wrong_derivation_is_found() -> None:
    good = quote(**LLAMA).ledger
    bad = good.derive("wrong", 1.0, "1", formula="workload.requests_per_day * 2")
    assert complaints(bad) == [
        "wrong is 1.0; workload.requests_per_day * 2 gives 1000000.0"
    ]


@pytest.mark.parametrize("flags", QUESTIONS.values(), ids=QUESTIONS)
def test_every_line_says_where_it_comes_from(flags: dict[str, Any]) -> None:
    silent = [
        line.name for line in quote(**flags).ledger if not (line.source or line.formula)
    ]
    assert not silent
