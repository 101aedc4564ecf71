import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.scenario.read import ScenarioFile, shipped_scenarios
from dayrate.scenario.replay import evaluate, replay_from, replayed
from dayrate.scenario.schema import scenario_from

SHIPPED = shipped_scenarios()
REPLAYS = [s for s in SHIPPED if s.replay is not None]
BY_ID = {s.id: s for s in SHIPPED}
FACT = {"name": "n", "value": 1, "unit": "1", "grade": "cited", "source": "S."}

TOY: dict[str, Any] = {
    "facts": [
        {"name": "a", "value": 6, "unit": "1", "grade": "given", "source": "S"},
        {"name": "b", "value": "7e0", "unit": "1", "grade": "cited", "source": "S"},
        {"name": "c", "value": None, "unit": "1", "grade": "assumed", "source": "S"},
    ],
    "steps": [
        {"name": "ab", "formula": "a * b", "unit": "1"},
        {"name": "abc", "formula": "ab * c", "unit": "1"},
    ],
    "claims": [
        {
            "name": "the answer",
            "published": 42,
            "unit": "1",
            "computed": "ab",
            "rtol": 0,
            "where": "S",
        }
    ],
    "result": {
        "cost_terms_usd_per_day": {"accelerators": "ab", "storage": "c"},
        "requests_per_day": "ab",
        "kwh_per_day": "abc",
    },
    "verdict": {"en": "yes", "zh": "是"},
}


def toy(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TOY), **changes}


def step(formula: str) -> dict[str, Any]:
    return toy(steps=[{"name": "x", "formula": formula, "unit": "1"}], claims=[])


@pytest.mark.parametrize("scenario", REPLAYS, ids=lambda s: s.id)
def test_every_claim_is_what_the_file_says(scenario: ScenarioFile) -> None:
    replay = replay_from(scenario.replay or {})
    _, checks = evaluate(replay)
    for claim, check in zip(replay.claims, checks, strict=True):
        assert check.holds == claim.holds, f"{claim.name}: {check.computed}"
        if not claim.holds:
            assert claim.factor == pytest.approx(1 / check.ratio, rel=0.01)


@pytest.mark.parametrize("scenario", REPLAYS, ids=lambda s: s.id)
def test_the_result_and_the_verdict_are_there(scenario: ScenarioFile) -> None:
    replay = replay_from(scenario.replay or {})
    answer = replayed(replay)
    assert all(math.isfinite(v) for v in answer.result.values())
    assert all(float(v) > 0 for v in answer.cost.terms_usd.values())
    assert replay.verdict["en"]
    assert replay.verdict["zh"]


@pytest.mark.parametrize("scenario", REPLAYS, ids=lambda s: s.id)
def test_nothing_is_there_for_show(scenario: ScenarioFile) -> None:
    """A known fact serves a step, a claim or the result."""
    replay = replay_from(scenario.replay or {})
    ledger, _ = evaluate(replay)
    used = {name for line in ledger for name in line.inputs}
    used |= {c.computed for c in replay.claims}
    used |= {*replay.result.values(), *replay.cost_terms.values()}
    assert {f.name for f in replay.facts} <= used


@pytest.mark.parametrize("scenario", SHIPPED, ids=lambda s: s.id)
def test_a_scenario_says_what_and_whence_in_both_languages(
    scenario: ScenarioFile,
) -> None:
    assert {*scenario.title, *scenario.question} == {"en", "zh"}
    assert all([*scenario.title.values(), *scenario.question.values()])
    assert scenario.source["title"]
    assert scenario.source["date"]
    assert scenario.replay or scenario.has_sections


@pytest.mark.parametrize(
    "scenario", [s for s in SHIPPED if s.has_sections], ids=lambda s: s.id
)
def test_the_question_is_a_valid_scenario(scenario: ScenarioFile) -> None:
    assert scenario_from(scenario.sections).given


def test_ids_are_unique_kebab_case() -> None:
    ids = [s.id for s in SHIPPED]
    assert len(ids) == len(set(ids)) > 20
    assert all(i == i.lower() and " " not in i and "_" not in i for i in ids)


def test_the_brokers_two_columns_are_one_factor() -> None:
    cloud, own = (
        replayed(replay_from(BY_ID[f"guojin-2023-{kind}-token"].replay or {}))
        for kind in ("cloud", "self-built")
    )
    cents = cloud.result["usd_per_1k_tokens"] * 100
    assert cents == pytest.approx(0.17652, abs=5e-6)
    ratio = own.result["usd_per_1k_tokens"] / cloud.result["usd_per_1k_tokens"]
    assert ratio == pytest.approx(0.30)


def test_the_power_calculator_in_three_readings() -> None:
    printed, correct, real = (
        replayed(replay_from(BY_ID[f"power-calculator-{kind}"].replay or {}))
        for kind in ("article", "unit-correct", "realistic")
    )
    assert printed.ledger["watt_hours_per_month"].value == 11_599_200
    assert printed.cost.terms_usd == {}
    assert correct.result["kwh_per_day"] == pytest.approx(386.64)
    assert correct.ledger["cny_per_day"].value == pytest.approx(251.316)
    assert real.ledger["parts_w"].value == pytest.approx(9016.4, rel=1e-4)
    assert real.ledger["cny_per_day"].value == pytest.approx(316.2, rel=1e-3)
    assert real.ledger["cny_per_day_low"].value == pytest.approx(266.9, rel=1e-3)
    assert real.ledger["cny_per_day_without_gpus"].value == pytest.approx(
        216.6, rel=1e-3
    )
    assert real.result["accelerators"] == 8


def test_a_replay_is_evaluated_and_graded_by_its_weakest_fact() -> None:
    answer = replayed(replay_from(toy()))
    assert answer.ledger["ab"].value == 42
    assert answer.ledger["ab"].grade is Grade.CITED
    assert answer.claims[0].holds
    assert answer.claims[0].ratio == 1


def test_unknown_stays_unknown() -> None:
    answer = replayed(replay_from(toy()))
    assert answer.ledger["abc"].value is None
    assert dict(answer.cost.terms_usd) == {"accelerators": 42.0}
    assert dict(answer.result) == {"requests_per_day": 42.0}


@given(published=st.floats(1, 1e6), rtol=st.floats(0, 0.5))
def test_a_claim_holds_within_its_tolerance(published: float, rtol: float) -> None:
    claim = {**TOY["claims"][0], "published": published, "rtol": rtol}
    _, (check,) = evaluate(replay_from(toy(claims=[claim])))
    assert check.holds == (abs(42 / published - 1) <= rtol)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (step("aa * b"), "uses 'aa', which no earlier line holds. Did you mean a"),
        (step("zebra"), "Define it in an earlier line"),
        (step("a *"), "is not arithmetic"),
        (step("a / (b - b)"), "cannot be computed"),
        (step("open(a)"), "cannot be computed"),
        (step("sqrt(-a)"), "cannot be computed"),
        (step("sqrt(a, b)"), "cannot be computed"),
        (step("9.0 ** 9 ** 9 ** 9"), "cannot be computed"),
        (step("'text'"), "give a finite number"),
        (toy(facts=[*TOY["facts"], TOY["facts"][0]]), "'a' is defined twice"),
        (toy(claims=[{**TOY["claims"][0], "computed": "abc"}]), "which is unknown"),
        (toy(claims=[{**TOY["claims"][0], "computed": "ba"}]), "Did you mean"),
        (toy(claims=[{**TOY["claims"][0], "where": ""}]), "has no where"),
        (toy(claims=[{**TOY["claims"][0], "publised": 1}]), "Did you mean published"),
        (toy(facts=[{"name": "a"}]), "has no value, unit, grade, source"),
        (toy(facts=[{**TOY["facts"][0], "value": True}]), "give a finite number"),
        (toy(facts=[{**TOY["facts"][0], "value": "nan"}]), "give a finite number"),
        (toy(facts=[{**TOY["facts"][0], "value": [1]}]), "give a finite number"),
        (toy(facts=[{**TOY["facts"][0], "grade": "good"}]), "give one of given"),
        (toy(result={"usd_per_token": "ab"}), "is not a key of replay.result"),
        (toy(result={"pue": "ba"}), "no earlier line holds"),
        (toy(fact=[]), "Did you mean facts"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(data: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replayed(replay_from(data))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"facts": 5}, "replay.facts is 5; give a list"),
        ({"steps": [1]}, r"replay.steps is \[1\]; give a list of mappings"),
        ({"result": 5}, "replay.result is 5; give a mapping"),
        (
            {"facts": [dict(FACT)], "result": {"cost_terms_usd_per_day": 5}},
            "cost_terms_usd_per_day is 5; give a mapping",
        ),
    ],
)
def test_a_replay_of_the_wrong_shape_is_a_sentence(
    data: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        replay_from(data)
