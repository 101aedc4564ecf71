"""The figure's bars are shares of the phases' totals."""

import pytest

from dayrate.anatomy.walk import anatomy_of
from dayrate.report.anatomy.figure import anatomy_figure
from dayrate.report.i18n import words
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from


@pytest.mark.parametrize(("accelerator", "bars"), [(None, 2), ("l4", 4)])
def test_every_bar_is_whole(accelerator: str | None, bars: int) -> None:
    flags = {"model": "gpt2", "accelerator": accelerator}
    figure = anatomy_figure(anatomy_of(scenario_from(nested(flags))), words("en"))
    for panel in ("x", "x2"):
        traces = [t for t in figure["data"] if t["xaxis"] == panel]
        assert {len(t["x"]) for t in traces} == {bars}
        for i in range(bars):
            assert sum(t["x"][i] for t in traces) == pytest.approx(100)


def test_the_share_is_that_of_the_part() -> None:
    found = anatomy_of(scenario_from({"model": {"id": "gpt2"}}))
    figure = anatomy_figure(found, words("zh"))
    name = words("zh")("feed-forward")
    drawn = next(t for t in figure["data"] if t["name"] == name)
    phase = found.phases[0]
    flop = next(w.flop for k, w in phase.by_part.items() if k.name == "mlp")
    assert drawn["x"][0] == pytest.approx(100 * flop / phase.total.flop)
