"""Heaps of requests in a sequence of numbers, lowest key first, then lowest request."""

from dayrate.serving.simulator.state import Floats, Ints

__all__ = ["pop", "push"]


def push(heap: Ints, key: Floats, size: int, i: int) -> None:
    """Add a request to a heap.

    Parameters
    ----------
    heap : list of int
        Positions of requests; longer than they are. [1]
    key : list of float
        By request, in any unit.
    size : int
        How many there are. [1]
    i : int
        Position of the new one. [1]

    Returns
    -------
    None
        The heap has one more.

    Examples
    --------
    >>> heap, key = [0, 2, 0], [0.5, 0.1, 0.9]
    >>> push(heap, key, 2, 1)
    >>> heap
    [1, 2, 0]

    References
    ----------
    .. [1] J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964.
    """
    at = size
    while at > 0 and _before(key, i, heap[(at - 1) // 2]):
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = i


def pop(heap: Ints, key: Floats, size: int) -> None:
    """Remove the first of a heap.

    Parameters
    ----------
    heap : list of int
        Positions of requests. [1]
    key : list of float
        By request, in any unit.
    size : int
        How many are to be left. [1]

    Returns
    -------
    None
        The heap has one less.

    Examples
    --------
    >>> heap = [1, 2, 0]
    >>> pop(heap, [0.5, 0.1, 0.9], 2)
    >>> heap[:2]
    [0, 2]

    References
    ----------
    .. [1] J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964.
    """
    i = heap[size]
    at, child = 0, 1
    while child < size:
        if child + 1 < size and _before(key, heap[child + 1], heap[child]):
            child += 1
        if not _before(key, heap[child], i):
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = i


def _before(key: Floats, i: int, j: int) -> bool:
    return key[i] < key[j] or (key[i] == key[j] and i < j)
