"""The published counts: what is compared, what a difference says, and what lets it pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_world import ref, write_reasonseg, write_refer
from mirror_world import MIRROR, row, write_mirror

from samr1.cli.index_options import index_parser
from samr1.core.errors import UserError
from samr1.data import counts, mirror, reasonseg, refer
from samr1.data.mirror_images import unpack_images


def test_the_splits_of_a_set_add_up_to_its_published_totals() -> None:
    def total(dataset: str, split_by: str, column: int) -> int:
        return sum(
            counted[column] or 0
            for key, counted in counts.PUBLISHED.items()
            if key[:2] == (dataset, split_by)
        )

    assert [total("refcoco", "unc", column) for column in (0, 1)] == [50_000, 142_210]
    assert [total("refcoco+", "unc", column) for column in (0, 1)] == [49_856, 141_564]
    assert [total("refcocog", "umd", column) for column in (0, 1)] == [49_822, 95_010]
    # The older splits are of the same refs.
    assert total("refcoco", "google", 0) == 50_000
    assert total("refcocog", "google", 0) == 49_822


def test_only_what_differs_is_said() -> None:
    for agreeing in (
        ("refcoco", "unc", "testA", 1975, 5657),
        ("refcoco", "unc", "testA", 1975),
        ("refcocog", "umd", "mini", 3, 3),
    ):
        counts.check_published(Path("set"), *agreeing)
    for found, told in (
        (
            ("refcoco", "unc", "testA", 1970, 5657),
            "refcoco (unc) testA has 1,970 refs where 1,975 are published",
        ),
        (
            ("refcocog", "umd", "test", 5023, 5023),
            "refcocog (umd) test has 5,023 sentences where 9,602 are published",
        ),
        (
            ("refcoco", "unc", "val", 1, 2),
            "refcoco (unc) val has 1 refs where 3,811 are published and 2 sentences where 10,834 "
            "are published",
        ),
        (
            ("lisa_grounding", None, "test", 778),
            "lisa_grounding test has 778 images where 779 are published",
        ),
    ):
        with pytest.raises(UserError) as caught:
            counts.check_published(Path("set"), *found)
        assert str(caught.value).startswith(f"set: {told}; fetch")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which RefCOCOg's test has three refs of two sentences, and ReasonSeg val two."""
    published = {("refcocog", "umd", "test"): (3, 6), ("reasonseg", None, "val"): (2, None)}
    monkeypatch.setattr(counts, "PUBLISHED", published)


@pytest.mark.usefixtures("small")
def test_refs_and_sentences_are_counted_whichever_are_read(tmp_path: Path) -> None:
    def read(numbers: list[int], words: tuple[str, ...] = ("left ball", "ball")) -> int:
        write_refer(tmp_path, [*[ref(n, words) for n in numbers], ref(9, split="val")])
        return len(refer.read(tmp_path, "refcocog", "umd", "test", check_counts=True))

    assert read([1, 2, 3]) == 3
    path = tmp_path / "refcocog" / "refs(umd).p"
    with pytest.raises(UserError) as caught:
        read([1, 2])
    assert str(caught.value) == (
        f"{path}: refcocog (umd) test has 2 refs where 3 are published and 4 sentences where 6 are "
        f"published; fetch the set again, or set check_counts: false (--no-check-counts) for a "
        f"subset."
    )
    with pytest.raises(UserError, match="has 3 sentences where 6 are published"):
        read([1, 2, 3], ("ball",))


@pytest.mark.usefixtures("small")
def test_a_ref_that_is_skipped_as_bad_still_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_refer(tmp_path, [ref(1), ref(2), ref(3, ann_id=77)])
    options = {"on_bad_sample": "skip", "check_counts": True}
    assert len(refer.read(tmp_path, "refcocog", "umd", "test", **options)) == 2
    assert "skipped 1 of 3" in capsys.readouterr().err
    # What cannot be told to be a ref of the split is no such ref, and is spoken of.
    write_refer(tmp_path, [ref(1), ref(2), ref(3, ann_id=None)])
    with pytest.raises(UserError, match="published, and 1 bad entries were skipped; fetch"):
        refer.read(tmp_path, "refcocog", "umd", "test", **options)


@pytest.mark.usefixtures("small")
def test_reasonseg_is_counted_by_its_images(tmp_path: Path) -> None:
    write_reasonseg(tmp_path, "a")
    with pytest.raises(UserError, match="reasonseg val has 1 images where 2 are published"):
        reasonseg.read(tmp_path, "val", check_counts=True)
    write_reasonseg(tmp_path, "b")
    assert len(reasonseg.read(tmp_path, "val", check_counts=True)) == 2


@pytest.mark.usefixtures("small")
def test_a_mirror_is_counted_by_its_objects(tmp_path: Path) -> None:
    def read(name: str, numbers: list[int], **options: str) -> int:
        rows = [row(tmp_path, number) for number in numbers]
        write_mirror(tmp_path, rows, name)
        unpack_images(tmp_path, name)
        arguments = {"split_by": "umd", "check_counts": True} | options
        return len(mirror.read(tmp_path, "refcocog", "test", name, **arguments))

    assert read(MIRROR, [1, 2, 3]) == 3
    with pytest.raises(UserError, match="has 2 refs where 3 are published; fetch"):
        read("o/short", [1, 2])
    # A mirror with a sentence a ref is no source of all sentences.
    with pytest.raises(UserError, match="has 3 sentences where 6 are published"):
        read("o/first", [1, 2, 3], sentences="all")
    assert read("o/all", [1, 2, 3, 1, 2, 3], sentences="all") == 6


def test_the_commands_check_unless_they_are_told_not_to() -> None:
    parser = index_parser("index_refer", None)
    given = ["--root", "data", "--split", "val", "--output", "o.parquet"]
    assert parser.parse_args(given).check_counts is True
    assert parser.parse_args([*given, "--no-check-counts"]).check_counts is False
