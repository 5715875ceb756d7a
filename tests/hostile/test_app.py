"""What people and strangers give `samr1`: arguments, folders, tables of questions, pictures."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import exit_code
from hostile_data import as_png, odd_tiff, refused
from PIL import Image

from samr1 import __main__
from samr1.app import model as app_model
from samr1.app.answer_files import describe_answer, draw_overlay
from samr1.app.asking import Failed, Written, ask_all
from samr1.app.model import Samr1, load_samr1
from samr1.app.questions import ImageQuestions, gather_questions
from samr1.app.serving import PAGE
from samr1.data.masks import encode_mask

LONG, ESCAPE, LATIN = "a" * 300, "\x1b[2J\u202e", os.fsdecode(b"caf\xe9")


@pytest.fixture(scope="module")
def model() -> Samr1:
    return load_samr1()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a picture, and what is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copy(PAGE / "example.jpg", "ok.jpg")
    Path("file.txt").write_text("x")
    Path("empty").mkdir()
    os.mkfifo("pipe.csv")
    os.symlink("loop", "loop")
    os.symlink("nowhere", "dangling")
    return tmp_path


NO_PATH = "cannot be looked at|cannot be read|no such file|File name too long|symbolic links"
USAGE: list[tuple[list[str], str]] = [
    (["ok.jpg", LATIN], r"the question 'caf\\udce9' is no valid Unicode"),
    (["ok.jpg", "\udce9" * 9_000], "is no valid Unicode"),
    (["ok.jpg", "x", "--image-size", "9" * 5_000], "invalid int value"),
    (["ok.jpg", "x", "--image-size", "0"], r"image_size = 0: must be greater than or equal to 1\."),
    (["ok.jpg", "x", "--image-size", "-84"], "image_size = -84: must be"),
    (["ok.jpg", "x", "--image-size", "28000"], "image_size = 28000: must be less than"),
    (["ok.jpg", "x", "--image-size", "3584"], "a multiple of 14, at most 1,792"),
    (["ok.jpg", "x", "-o", "file.txt"], "is no folder that can be made"),
    (["ok.jpg", "x", "-o", "file.txt/below"], "is no folder that can be made"),
    (["ok.jpg", "x", "-o", "dangling"], "is no folder that can be made"),
    (["ok.jpg", "x", "-o", "loop"], "is no folder that can be made"),
    (["ok.jpg", "x", "-o", LONG], "is no folder that can be made"),
    (["ok.jpg", "x", "-o", LATIN], r"--output caf\\udce9: is no valid Unicode"),
    *((["ok.jpg", "x", "--policy", name], NO_PATH) for name in (LONG, "x/" * 3_000, "loop")),
    *((["ok.jpg", "x", "--segmenter", name], NO_PATH) for name in (LONG, "x/" * 3_000, "loop")),
    (["ok.jpg", "x", "--policy", LATIN], r"caf\\udce9: no such folder; name one that a"),
    (["ok.jpg", "x", "--policy", "empty"], r"empty: holds no config\.json"),
    (["empty", "x"], "empty: holds no picture"),
    ([f"{ESCAPE}.jpg", "x"], r"\\x1b\[2J\\u202e\.jpg: no such file"),
    ([f"{LATIN}.jpg", "x"], r"caf\\udce9\.jpg: its name is no valid Unicode; rename it"),
    ([f"{LONG}.jpg", "x"], "File name too long"),
    (["loop", "x"], "loop: cannot be read"),
    (["/dev/zero", "x"], "/dev/zero: is no regular file"),
    (["pipe.csv"], r"pipe\.csv: is no regular file"),
    ([f"{LONG}.csv"], "File name too long"),
    (["ok.jpg", f"{ESCAPE}.jpg"], r"\\x1b\[2J\\u202e\.jpg is a file and no question"),
    (["ok.jpg", "x", f"--{ESCAPE}"], r"\\x1b\[2J"),
]


@pytest.mark.parametrize(("arguments", "told"), USAGE, ids=[told for _, told in USAGE])
def test_every_argument_ends_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert exit_code(__main__.start, "segment", *arguments) in (1, 2)
    said = capsys.readouterr().err
    assert all(line.isprintable() for line in said.splitlines())
    assert re.search(told, said)


CSV: list[tuple[bytes, str]] = [
    (b"image,question\na.jpg,a\0b\n", r"line 2: the question 'a\\x00b' is no valid Unicode"),
    (b"image,question\na.jpg,caf\xe9\n", "cannot be read as CSV in UTF-8"),
    ("image,question\na.jpg,red\n".encode("utf-16"), "cannot be read as CSV in UTF-8"),
    (b"image,question\na.jpg," + b"9" * 5_000 + b"\n", "line 2: .* has 5000 characters"),
    (b"image,question\na.jpg," + b"9" * 200_000 + b"\n", "field larger than field limit"),
    (b"image,question,image\na.jpg,red,b.jpg\n", "has the column 'image' twice"),
    (b"image,question\n" + b"a,b\n" * 50_001, "has more than 50,000 rows"),
    (b"image,question\n" + b"," * 16_000_000, "has more than 16,000,000 bytes"),
    (b"", "lacks the column 'image'"),
]


@pytest.mark.parametrize(("content", "told"), CSV, ids=[told for _, told in CSV])
def test_a_table_of_questions_that_is_none_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "q.csv").write_bytes(content)
    refused(rf"q\.csv.*{told}", lambda: gather_questions([tmp_path / "q.csv"], []))


def test_a_folder_leaves_nothing_out_without_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "photos").mkdir()
    shutil.copy("ok.jpg", "photos/b.JPG")
    for name in ("a.heic", "c.avif", f"{ESCAPE}.HEIF", "._b.JPG", ".DS_Store"):
        (folder / "photos" / name).write_bytes(b"\0\0\0\x18ftypheic")
    assert [one.image.name for one in gather_questions([Path("photos")], ["x"])] == ["b.JPG"]
    said = capsys.readouterr().err
    assert said.startswith(
        "note: photos: nothing is asked of \\x1b[2J\\u202e.HEIF, a.heic, c.avif;"
    )
    assert exit_code(__main__.start, "segment", "photos/a.heic", "the ball") == 1
    assert "a.heic: not an image that can be read; fetch it" in capsys.readouterr().err


def bad_pictures(folder: Path) -> Iterator[Path]:
    """Pictures of which none can be read, each for a reason of its own."""
    for name, content in (
        ("odd.tif", odd_tiff()),
        ("cut.jpg", (PAGE / "example.jpg").read_bytes()[:2000]),
        ("none.jpg", b""),
        (f"{LATIN}.png", as_png(Image.new("L", (9, 9)))),
    ):
        (folder / name).write_bytes(content)
        yield folder / name
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(10**10)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    for name in ("sparse.jpg", "pipe.jpg", "zero.jpg", "a\0.jpg", f"{LONG}.jpg", "gone.jpg"):
        yield folder / name


def test_a_bad_picture_loses_no_other(model: Samr1, folder: Path) -> None:
    bad = list(bad_pictures(folder))
    asked = [ImageQuestions(path, ("x",)) for path in bad]
    good = ImageQuestions(folder / "ok.jpg", ("the blue triangle",))
    (folder / "out").mkdir()
    done = list(ask_all(model, [asked[0], good, *asked[1:]], "micro", folder / "out"))
    assert sum(isinstance(one, Written) for one in done) == 1 and len(done) == len(bad) + 1
    reasons = [one.reason for one in done if isinstance(one, Failed)]
    assert all(reason.endswith(".") and "\n" not in reason for reason in reasons)


def test_pictures_are_not_gathered_without_bound(tmp_path: Path) -> None:
    held: list[int] = []

    class Counting:
        def segment_each(self, asked: list[Any]) -> list[list[Any]]:
            held.append(len(asked))
            return [[] for _ in asked]

    path = tmp_path / "black.png"
    path.write_bytes(as_png(Image.new("L", (4_200, 4_200))))
    asked = [ImageQuestions(path, ("x",))] * 5
    assert not list(ask_all(Counting(), asked, "", tmp_path))  # type: ignore[arg-type]
    assert held == [2, 2, 1]  # of 53 MB each


def test_a_score_that_is_no_number_is_named(model: Samr1, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may be finite, and what is computed with them too large."""
    row = {"text": "", "sam_score": float("nan"), "mask": encode_mask(np.ones((84, 84), bool))}
    monkeypatch.setattr(app_model, "answer_rows", lambda rows, *_: iter([{0: row}]))
    told = "the segmenter's score of its mask is no number; use another segmenter"
    refused(told, lambda: model.segment(np.zeros((84, 84, 3), np.uint8), ["x"]))


BOXES = [[10, 10, 30, 30], [40, 40, 60, 60], [5, 60, 20, 80]]
POINTS = [{"point_2d": [20 + n % 3, 20], "value": 1} for n in range(20)]


def asked_for(model: Samr1, dialect: str, answer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What comes of such an answer of the policy."""
    row = {"text": f"<think>x</think><answer>{json.dumps(answer)}</answer>", "sam_score": 0.5}
    row["mask"] = encode_mask(np.ones((84, 84), bool))
    monkeypatch.setattr(app_model, "answer_rows", lambda rows, *_: iter([{0: row}]))
    asked = replace(model, stage=model.stage.model_copy(update={"dialect": dialect}))
    return asked.segment(np.zeros((84, 84, 3), np.uint8), ["x"])[0]


def test_every_object_of_an_answer_is_told(model: Samr1, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [{"bbox_2d": box, "point_2d": box[:2], "label": "x"} for box in BOXES]
    answer = asked_for(model, "vision_reasoner", objects, monkeypatch)
    told = describe_answer(answer)["objects"]
    assert [list(one["box"]) for one in told] == BOXES
    assert [(one["points"][0]["x"], one["points"][0]["y"]) for one in told] == [
        tuple(box[:2]) for box in BOXES
    ]
    shown = np.array(draw_overlay(np.zeros((84, 84, 3), np.uint8), answer))
    for x1, y1, x2, y2 in BOXES:
        assert shown[y1:y2, x2 - 1].tolist() == [[230, 159, 0]] * (y2 - y1)
        assert shown[y2 - 1, x1:x2].tolist() == [[230, 159, 0]] * (x2 - x1)


def test_points_beyond_those_that_are_given_on_are_counted(
    model: Samr1, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"bbox_2d": BOXES[0], "points": POINTS, "label": "x"}
    told = describe_answer(asked_for(model, "sam_r1", answer, monkeypatch))
    assert (len(told["points"]), told["left_out"], told["status"]) == (16, 4, "ok")
