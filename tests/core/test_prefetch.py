"""Items made in the background: in order, one ahead, with their errors, and no thread left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from samr1.core.errors import UserError
from samr1.core.prefetch import prefetch


def background_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_the_items_are_those_of_the_iterable() -> None:
    assert list(prefetch(range(5))) == list(range(5))
    assert list(prefetch([])) == []
    assert list(prefetch([None, 0, False])) == [None, 0, False]
    assert background_threads() == []


def test_the_next_item_is_made_meanwhile_and_no_more_than_that() -> None:
    made: list[int] = []
    second, makers = threading.Event(), set()

    def items() -> Iterator[int]:
        for item in range(4):
            makers.add(threading.get_ident())
            made.append(item)
            if item == 1:
                second.set()
            yield item

    with closing(prefetch(items())) as ready:
        assert next(ready) == 0
        assert second.wait(timeout=10)  # nobody has asked for it
        for item in (1, 2, 3):
            assert next(ready) == item
            assert len(made) <= item + 2
    assert len(makers) == 1 and threading.get_ident() not in makers


def test_an_error_comes_in_its_items_place_and_unchanged() -> None:
    error = UserError("a.png: the image is broken.")

    def items() -> Iterator[int]:
        yield 0
        yield 1
        raise error

    ready = prefetch(items())
    assert [next(ready), next(ready)] == [0, 1]
    with pytest.raises(UserError) as caught:
        next(ready)
    assert caught.value is error
    assert background_threads() == []


def test_the_thread_ends_when_the_caller_fails_or_stops_early() -> None:
    with pytest.raises(ZeroDivisionError), closing(prefetch(iter(int, 1))) as ready:
        next(ready)
        assert background_threads() != []
        raise ZeroDivisionError
    assert background_threads() == []
    with closing(prefetch(range(3))):
        pass
    assert background_threads() == []
