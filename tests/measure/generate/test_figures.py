"""Speeds, shares and money of runs written by hand."""

import dataclasses
import json

import pytest

from dayrate.catalog.models import model
from dayrate.errors import UnknownName
from dayrate.measure.generate.figures import Figures, Peak, peak_of
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Finish, Host, Output, Pass, Trace
from dayrate.measure.generate.work import decode_flop, prefill_flop
from dayrate.measure.power import Energy

HOST = Host("gpt2", "transformers", "cpu", "float32", 1, 1024, model("gpt2"), 2.0)
PASS = Pass(10, 4, 1, (0.5, 0.6, 0.8, 1.0), 1.1)
TRACE = Trace((Output(" text", 4, Finish.LENGTH),), (PASS,), 10**8)
FIGURES = Figures(
    HOST,
    TRACE,
    Energy.measured(7.2, "RAPL package-0"),
    Tariff(0.1, 3.6),
    Peak("l4", 1e12),
)


def test_speeds() -> None:
    assert FIGURES.ttft_s == 0.5
    assert FIGURES.prefill_tokens_per_s == 6 / 0.5
    assert FIGURES.decode_tokens_per_s == pytest.approx(3 / 0.5)
    assert FIGURES.seconds == 1.1


def test_shares_of_the_peak() -> None:
    spec = HOST.spec
    assert spec is not None
    assert FIGURES.prefill_mfu == pytest.approx(prefill_flop(spec, PASS) / 0.5 / 1e12)
    assert FIGURES.decode_mfu == pytest.approx(decode_flop(spec, PASS) / 0.5 / 1e12)


def test_money_per_thousand_tokens() -> None:
    machine, electricity = 3.6 * 1.1 / 3600, 0.1 * 7.2 / 3.6e6
    assert FIGURES.usd_per_1k_output_tokens == pytest.approx(
        (machine + electricity) / 4 * 1000
    )


def test_what_did_not_happen_is_unknown() -> None:
    nothing = dataclasses.replace(
        FIGURES,
        host=dataclasses.replace(HOST, spec=None),
        trace=Trace(
            (Output("", 0, Finish.INTERRUPTED),), (Pass(10, 0, 1, (), 0.2),), 10**8
        ),
        energy=Energy.unknown("no meter"),
        tariff=Tariff(),
        peak=None,
    )
    document = nothing.to_dict()
    unknown = {
        "ttft_s",
        "prefill_tokens_per_s",
        "decode_tokens_per_s",
        "prefill_flop",
        "decode_flop",
        "prefill_mfu_frac",
        "decode_mfu_frac",
        "cost",
    }
    assert {k for k, v in document.items() if v is None} >= unknown
    json.dumps(document, allow_nan=False)


def test_several_passes_add_up() -> None:
    twice = dataclasses.replace(
        FIGURES, trace=Trace(TRACE.outputs * 2, (PASS, PASS), 10**8)
    )
    assert twice.decode_tokens_per_s == pytest.approx(FIGURES.decode_tokens_per_s)
    assert twice.decode_flop == 2 * (FIGURES.decode_flop or 0)
    assert twice.prompt_tokens == FIGURES.prompt_tokens


def test_peaks_by_name() -> None:
    peak = peak_of("l4", dataclasses.replace(HOST, dtype="float16"))
    assert peak is not None
    assert peak.flop_per_s == 121e12  # NVIDIA L4 datasheet, dense
    with pytest.raises(UnknownName):
        peak_of("no such device", HOST)
