"""Work made ready in the background while the caller is busy with what was made before."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from samr1.core.device import same_device

Item = TypeVar("Item")

_END = object()


def prefetch(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The same `items` in the same order, each made while the caller works on the one before.

    `items` is iterated in one background thread, on the caller's GPU where it has one, never more
    than one item ahead of the caller. What it raises is raised here, in the item's place. Close
    this generator where it may not be used up (`contextlib.closing`): closing waits for the item
    under way and ends the thread.
    """
    iterator = iter(items)
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch", initializer=same_device())
    try:
        coming = pool.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, iterator, _END)
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
