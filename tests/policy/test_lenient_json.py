"""JSON as policies write it: as `json` where it is valid, and as it is meant where it is not."""

from __future__ import annotations

import json
import math
import random
import string
from typing import Any

import pytest

from samr1.policy.lenient_json import BROKEN, MAX_DEPTH, Fields, read_values


def draw_value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(9) if depth else rng.randrange(7)
    if kind == 7:
        return [draw_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 8:
        return {draw_text(rng): draw_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    numbers = (rng.randint(-99, 99), rng.uniform(-1e9, 1e9), 10 ** rng.randrange(300), rng.random())
    return (draw_text(rng), True, False, None, *numbers)[rng.randrange(8)]


def draw_text(rng: random.Random) -> str:
    letters = string.printable + "{}[]()\"'\"'\\,:“”‘’，：é\ud83d\ude00\ud800\x00"
    return "".join(rng.choices(letters, k=rng.randrange(9)))


def as_json_reads(value: Any) -> Any:
    """A value of `read_values` without what it knows beyond JSON."""
    if isinstance(value, Fields):
        assert value.whole
        return {key: as_json_reads(item) for key, item in value.items()}
    return [as_json_reads(item) for item in value] if isinstance(value, list) else value


def test_valid_json_is_read_as_json_reads_it() -> None:
    rng = random.Random("valid JSON")
    for _ in range(3000):
        value = [draw_value(rng, 5)]
        written = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))
        read = read_values(rng.choice(("", "so: ")) + written + rng.choice(("", "\n```", " yes")))
        assert [as_json_reads(one) for one in read] == [json.loads(written, parse_int=float)]


BOX = {"box": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{'box': [1, 2, 3, 4], 'a': 'x'}", [BOX | {"a": "x"}]),
        ("{'box': (1, 2, 3, 4), 'a': None, 'b': True}", [BOX | {"a": None, "b": True}]),
        ("{'a': 'boy's hat', 'box': [1,2,3,4]}", [{"a": "boy's hat"} | BOX]),
        ("{'a': \"boy's hat\", 'b': 'a \"red\" cup'}", [{"a": "boy's hat", "b": 'a "red" cup'}]),
        ('{"a": "the "red" cup", "box": [1,2,3,4]}', [{"a": 'the "red" cup'} | BOX]),
        ("It's: {'a': 'it\\'s', 'b': 'c\"d'} isn't it?", [{"a": "it's", "b": 'c"d'}]),
        ("{“box”: [1，2，3，4]，‘a’：‘x’}", [BOX | {"a": "x"}]),
        ('{box: [1, 2, 3, 4], "a": x}', [BOX | {"a": "x"}]),
        ('[{"box": [1,2,3,4,],},]', [[BOX]]),
        ('{,"box": [1,2,3,4],, "a": 1}', [BOX | {"a": 1}]),
        ('{"box": [1,2,3,4] "a": 1}', [BOX | {"a": 1}]),
        ('{"box": [1,2,3,4] // the "cup"\n, "a": "b" # c\n}', [BOX | {"a": "b"}]),
        ('{"box": /* here */ [1,2,3,4]}', [BOX]),
        ("{'box': np.array([1,2,3,4]) # x", [{"box": [[1, 2, 3, 4]]}]),
        (r"[{\"box\": [1,2,3,4], \"a\": \"x\"}]", [[BOX | {"a": "x"}]]),
        ('{"box": [1,2,3,4]},\n{"box": [1,2,3,4]}]', [BOX, BOX]),
        ('[{"box": [1,2,3,4]}', [[BOX, BROKEN]]),
        ('{"box": [1,2,3,4], "a": "cut o', [BOX | {"a": "cut"}]),
        ('{"box": [1, 2, 3', [{"box": [1, 2, 3, BROKEN]}]),
        ('{"box": [1, 2, 3, 4}', [{"box": [1, 2, 3, 4, BROKEN]}]),
        ("[1, , 3]", [[1, BROKEN, 3]]),
        ("[1 2, 3]", [[1, 2, BROKEN, 3]]),
        ("[010, 1.5.2, 7px]", [[0, 10, BROKEN, 1.5, 2, BROKEN, 7, "px", BROKEN]]),
        ("(1, 2) and } ] nothing", []),
        ("[]{}", [[], {}]),
    ],
)  # fmt: skip
def test_what_is_meant(text: str, values: list[Any]) -> None:
    assert read_values(text) == values


def test_repeated_keys_are_kept_and_the_last_counts() -> None:
    (read,) = read_values('{"a": 1, "b": 2, "a": 3}')
    assert read == {"a": 3, "b": 2} and read.pairs == [("a", 1), ("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("{'a': [1,], // x\n}", True),
        ('{"a": [1, 2', False),
        ('{"a": 1', False),
        ('{"a": [1, , 2]}', False),
        ('{"a": [{"b": [1 2]}]}', False),
    ],
)
def test_an_object_is_whole_or_not(text: str, whole: bool) -> None:
    assert read_values(text)[0].whole == whole
    cut = whole or text[-1] not in "]}"
    assert read_values(text, cut=True)[0].whole == cut


def test_numbers_are_finite_or_none() -> None:
    (read,) = read_values("[NaN, -Infinity, 1e999, %s]" % ("9" * 5000))
    assert not any(math.isfinite(number) for number in read)


def test_depth_is_bounded() -> None:
    read, depth = read_values("[" * 5000 + "]" * 5000), 0
    while read:
        read, depth = read[0], depth + 1
    assert depth == MAX_DEPTH
