"""Prefix blocks of any size, cut alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dayrate.compose.ways import cut_alike
from dayrate.serving.simulator.inputs import RequestList


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=4
        ),
        min_size=2,
        max_size=5,
    )
)
def test_blocks_are_shared_as_far_as_prompts_are(
    prompts: list[list[tuple[int, int]]],
) -> None:
    """A component's id stands for its tokens, its size and all that is before it."""
    known: dict[tuple[tuple[int, int], ...], int] = {}
    ids, sizes, texts = [], [], []
    for prompt in prompts:
        text: list[tuple[int, int]] = []
        for j, (_, size) in enumerate(prompt):
            chain = tuple(prompt[: j + 1])
            ids.append(known.setdefault(chain, len(known)))
            sizes.append(size)
            text += [(ids[-1], k) for k in range(size)]
        texts.append(text)
    n = len(prompts)
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in prompts])])
    inputs = [len(t) for t in texts]
    requests = RequestList(
        np.zeros(n), inputs, [1] * n, block_offsets=offsets, block_ids=np.array(ids)
    )
    cut = cut_alike(requests, np.array(sizes), 4)
    assert cut.block_offsets is not None
    assert cut.block_ids is not None
    starts, blocks = np.asarray(cut.block_offsets), np.asarray(cut.block_ids)
    mine = [blocks[starts[i] : starts[i + 1]].tolist() for i in range(n)]
    assert [len(m) for m in mine] == [t // 4 for t in inputs]
    for i in range(n):
        for j in range(n):
            same = next(
                (
                    k
                    for k, (a, b) in enumerate(zip(texts[i], texts[j], strict=False))
                    if a != b
                ),
                min(inputs[i], inputs[j]),
            )
            shared = sum(a == b for a, b in zip(mine[i], mine[j], strict=False))
            assert shared == same // 4
