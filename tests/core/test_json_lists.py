"""Lists in JSON, entry by entry: the same as the standard library reads at once, or a sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from samr1.core.errors import ON_INPUT, UserError, refusing
from samr1.core.json_lists import JsonLists

MOST = 50_000_000


def lists(path: Path) -> JsonLists:
    return JsonLists(path, MOST, "write it again")


def draw_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind < 6:
        text = "".join(rng.choices('aé\U0001f600"\\{[]},:\n ', k=rng.choice((0, 5, 5_000))))
        return (None, True, rng.randint(-(10**20), 10**20), rng.random(), text, text)[kind]
    parts = [draw_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return parts if kind == 6 else {f"{n} ]}}": part for n, part in enumerate(parts)}


@pytest.mark.parametrize("seed", range(20))
def test_entries_are_what_the_whole_holds(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    whole = {f"key {n}": [draw_value(rng) for _ in range(rng.randrange(9))] for n in range(3)}
    ascii_only, indent = rng.random() < 0.5, rng.choice((None, 3))
    content = whole | {"info": {"a": [1, 2]}, "b": 5}
    path = tmp_path / "a.json"
    text = json.dumps(content, ensure_ascii=ascii_only, indent=indent)
    path.write_text(text, encoding=rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32")))
    file, found = lists(path), dict[str | None, list[Any]]()
    for key, place, value in file:
        found.setdefault(key, []).append(value)
        assert file.read(place) == value
    assert found == {key: entries for key, entries in whole.items() if entries}
    path.write_text(json.dumps(whole["key 0"]))
    assert [entry.value for entry in lists(path)] == whole["key 0"]


def test_what_a_parser_of_ours_raises_beside_its_own_errors_is_no_fault_of_the_file() -> None:
    with pytest.raises(IndexError), refusing("a.json: no JSON file", "write it again", ON_INPUT):
        raise IndexError
    with pytest.raises(UserError), refusing("a.json: no JSON file", "write it again", ON_INPUT):
        json.loads("[" * 100_000)


def test_a_number_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for blanks in range(4_088, 4_100):  # where the first part of the file ends, or just before
        path.write_text("[" + " " * blanks + "12345, 6]")
        assert [entry.value for entry in lists(path)] == [12345, 6]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither a list nor an object"),
        ("5", "neither a list nor an object"),
        ("[1", "no comma at byte 2"),
        ("[1 2]", "no comma at byte 3"),
        ("[1, 2,]", "Expecting value"),
        ('{"a": [1], "a": [2]}', "the key 'a' stands twice"),
        ('{"a" [1]}', "no key and colon"),
        ("{5: [1]}", "no key and colon"),
        ('{"a": [1]} x', "something stands behind its end"),
        ('["' + "a" * 5_000, "Unterminated string"),
        ("[" * 100_000, "recursion"),
        ("[" + "9" * 5_000 + "]", "4300 digits"),
        ("[" + "0," * 400_000 + "0]", "more than 400,000 entries"),
        ('[{"a": [' + "[]," * 600_000 + "[]]}]", "more than 500,000 values in one"),
        ('["' + "a" * 17_000_000 + '"]', "Unterminated string"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=rf"a\.json: not a JSON file \(.*{told}.*; write it again"):
        list(lists(tmp_path / "a.json"))
