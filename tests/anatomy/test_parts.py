"""Each parameter and each operator belongs to one part."""

import pytest

from dayrate import catalog
from dayrate.anatomy.parts import key_of, model_parts
from dayrate.catalog.models import model_ids, model_row
from dayrate.catalog.params import total_params
from dayrate.perf.blocks import operator_groups
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.operators import StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.units import DType

KNOWN = [i for i in model_ids() if "counts" not in model_row(i)]
BF16 = Precision(DType.BF16, DType.BF16, DType.BF16)


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_of_the_parts_are_those_of_the_model(name: str) -> None:
    model = catalog.model(name)
    assert sum(part.params for part in model_parts(model)) == total_params(model)


@pytest.mark.parametrize("name", KNOWN)
def test_every_operator_belongs_to_a_part(name: str) -> None:
    model = catalog.model(name)
    shape = StepShape(prefill_tokens=1, decode_sequences=1, logit_sequences=1)
    groups = operator_groups(model, accelerator_rank(model, Parallelism(), BF16, shape))
    known = {part.key for part in model_parts(model)}
    last = len(groups) - 1
    for i, (_block, ops) in enumerate(groups):
        group = None if i in {0, last} else i - 1
        assert {key_of(op.name, group) for op in ops} <= known
