"""The trained model on any picture: the tiny models that are shipped, on scenes of their world."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import exit_code
from made_up_samples import sample_row, sample_table
from PIL import Image

from samr1 import __main__
from samr1.app.answer_files import Source, draw_overlay, name_answer
from samr1.app.asking import Written, ask_all
from samr1.app.model import Samr1, load_samr1
from samr1.app.questions import ImageQuestions, check_question, gather_questions
from samr1.core.errors import UserError
from samr1.data.images import load_picture
from samr1.data.masks import decode_mask
from samr1.data.resizing import ImageStore, resize_images
from samr1.evaluation import responses
from samr1.evaluation.predict import predict
from samr1.micro.scenes import draw_scene, encode_jpeg, generator, render
from samr1.policy.prompt_settings import BASE_SETTINGS, write_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model() -> Samr1:
    return load_samr1()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[ImageQuestions]:
    """Two drawn pictures, each with two questions about things that are in it."""
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for number in (1, 3):
        scene = draw_scene(generator("use", number))
        path = folder / f"scene {number}.jpg"
        path.write_bytes(encode_jpeg(render(scene)))
        names = dict.fromkeys(f"the {thing.color} {thing.shape}" for thing in scene.things)
        found.append(ImageQuestions(path, tuple(names)[:2]))
    return found


def test_answers_are_those_of_the_benchmarks_and_each_picture_is_seen_once(
    model: Samr1, asked: list[ImageQuestions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [load_picture(one.image.read_bytes(), "picture") for one in asked]
    samples = sample_table(
        sample_row(one.image.name, pixels.shape[1::-1], question)
        for one, pixels in zip(asked, pictures, strict=True)
        for question in one.questions
    )
    root = asked[0].image.parent
    resize_images(samples, root, 84, tmp_path / "images.parquet")
    store = ImageStore(tmp_path / "images.parquet")
    table = predict(samples, store, root, model.policy, model.segmenter, model.stage)
    seen: dict[str, list[Any]] = {"policy": [], "segmenter": []}
    encode_images, embed = responses.encode_images, model.segmenter.embed_batch
    monkeypatch.setattr(
        responses,
        "encode_images",
        lambda policy, questions: (
            seen["policy"].extend(questions),
            encode_images(policy, questions),
        )[1],
    )
    monkeypatch.setattr(
        model.segmenter,
        "embed_batch",
        lambda images: (seen["segmenter"].extend(images), embed(images))[1],
    )
    answers = model.segment_each(
        [(pixels, one.questions) for pixels, one in zip(pictures, asked, strict=True)]
    )
    assert {name: len(images) for name, images in seen.items()} == {"policy": 2, "segmenter": 2}
    assert [len(of_one) for of_one in answers] == [2, 2]
    for row, answer in zip(table.to_pylist(), [a for one in answers for a in one], strict=True):
        assert (answer.status, answer.text) == ("ok", row["text"])
        assert (answer.think, answer.label) == (row["think"], row["label"])
        assert answer.box == pytest.approx(row["box"]) and answer.box is not None
        assert answer.mask is not None and answer.mask.any()
        assert np.array_equal(answer.mask, decode_mask(row["mask"]))
        assert answer.label is not None and answer.label in answer.question


def test_a_picture_may_be_a_file_a_pil_image_or_pixels(
    model: Samr1, asked: list[ImageQuestions]
) -> None:
    path, question = asked[0].image, asked[0].questions[0]
    of_file = model.segment(path, [question])[0]
    with Image.open(path) as image:
        of_image = model.segment(image, [question])[0]
        of_pixels = model.segment(np.array(image), [question])[0]
    for other in (of_image, of_pixels):
        assert other.text == of_file.text and np.array_equal(other.mask, of_file.mask)
    assert model.segment(path, []) == []
    with pytest.raises(UserError, match=r"float64 \[4, 4\] cannot be asked about"):
        model.segment(np.zeros((4, 4)), [question])  # type: ignore[arg-type]


def run(*arguments: object) -> int:
    """The exit code of `samr1` with these arguments."""
    return exit_code(__main__.start, *arguments)


def test_the_command_answers_all_that_it_can(
    asked: list[ImageQuestions],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A folder, a CSV file and a broken picture between them."""
    first, second = asked
    (tmp_path / "photos").mkdir()
    shutil.copy(first.image, tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    shutil.copy(second.image, tmp_path / "b.jpg")
    with (tmp_path / "more.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "image"), (second.questions[1], "b.jpg")])
    monkeypatch.chdir(tmp_path)
    command = ("segment", "photos", "broken.png", "more.csv", "-q", first.questions[0], "-o", "out")
    assert run(*command) == 1
    said = capsys.readouterr()
    assert "error: broken.png: not an image" in said.err
    assert said.err.splitlines()[-1] == "error: 1 of 3 pictures could not be asked about."
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["image"] for line in lines] == ["photos/a.jpg", "b.jpg"]
    assert [line["question"] for line in lines] == [first.questions[0], second.questions[1]]
    files = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert len(files) == 6
    for line in lines:
        written = json.loads(Path(line["file"]).read_text())
        assert {**line, "mask": written["mask"], "asked": written["asked"]} == {
            **written,
            "file": line["file"],
        }
        mask = decode_mask(written["mask"])
        stem = line["file"].removesuffix(".json")
        with Image.open(f"{stem}.mask.png") as image, Image.open(f"{stem}.overlay.png") as overlay:
            assert np.array_equal(np.array(image), mask) and mask.any()
            assert overlay.size == image.size
            x1, y1, x2, y2 = written["box"]
            assert 0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height
    assert run(*command[:-1], "b.jpg") == 1
    assert "error: --output b.jpg: is no folder that can be made" in capsys.readouterr().err
    assert run(*command) == 1
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.jpg"], "nothing is asked of a.jpg"),
        (["a.jpg", "b.PNG"], "b.PNG is a file and no question"),
        (["q.csv", "the cat"], "q.csv brings its own questions"),
        (["photos", "q.csv"], "q.csv is a file and no question"),
        (["a.jpg", "the cat", "--dialect", "klingon"], "invalid choice: 'klingon'"),
        ([], "the following arguments are required"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("segment", *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_an_answer_that_cannot_be_read_has_its_status_and_no_mask(
    model: Samr1, asked: list[ImageQuestions], tmp_path: Path
) -> None:
    short = model.stage.evaluation.model_copy(update={"max_response_tokens": 5})
    hasty = Samr1(
        model.policy, model.segmenter, model.stage.model_copy(update={"evaluation": short})
    )
    done = list(ask_all(hasty, asked[:1], "hasty", tmp_path))
    assert len(done) == 2
    for one in done:
        assert isinstance(one, Written)
        written = json.loads(one.file.read_text())
        assert (written["status"], written["mask"], written["box"]) == ("no_answer", None, None)
        assert written["response"].startswith("<think>")
    assert sorted(tmp_path.iterdir()) == sorted(one.file for one in done)  # type: ignore[union-attr]


def test_names_are_plain_and_tell_different_answers_apart() -> None:
    given = Source("../../etc/pass wd.jpg", b"1", "micro")
    others = [
        (given, "b"),
        (Source("etc/pass wd.jpg", b"1", "micro"), "a"),
        (Source(given.image, b"2", "micro"), "a"),
        (Source(given.image, b"1", "another"), "a"),
        (Source("..", b"", ""), "../../x"),
        (Source("a\n" + "ü" * 300, b"", ""), "\x00/\\" * 100),
    ]
    names = [name_answer(given, "a"), *(name_answer(*other) for other in others)]
    assert len(set(names)) == len(names)
    for name in names:
        assert Path(name).name == name and len(name) < 100 and name.isascii()


def test_an_overlay_shows_mask_box_and_point(model: Samr1, asked: list[ImageQuestions]) -> None:
    pixels = load_picture(asked[0].image.read_bytes(), "picture")
    answer = model.segment(pixels, asked[0].questions[:1])[0]
    shown = np.array(draw_overlay(pixels, answer))
    changed = (shown != pixels).any(axis=2)
    assert answer.mask is not None and changed[answer.mask].all()
    x, y, _ = answer.points[0]
    assert shown[round(y), round(x)].tolist() == [230, 159, 0]
    assert not changed.all()


def test_questions_are_checked_and_gathered(tmp_path: Path) -> None:
    assert check_question("  the \n red  circle ") == "the red circle"
    for question, message in (
        (" ", "is empty"),
        ("a" * 501, "has 501 characters"),
        ("a <|image_pad|> ball", "the policy's own marks"),
    ):
        with pytest.raises(UserError, match=message):
            check_question(question)
    (tmp_path / "b.PNG").touch()
    (tmp_path / "a.jpg").touch()
    table = tmp_path / "q.csv"
    for content in (
        'image,question\na.jpg,red\na.jpg,red\nb.PNG,"two, words"\n',
        "image;question\na.jpg;red\na.jpg;red\nb.PNG;two, words\n",
    ):
        table.write_text("\ufeff" + content, "utf-8")
        assert gather_questions([table, tmp_path], ["x"]) == [
            ImageQuestions(tmp_path / "a.jpg", ("red", "x")),
            ImageQuestions(tmp_path / "b.PNG", ("two, words", "x")),
        ]
    for content, message in (
        ("image,text\na.jpg,red\n", r"q\.csv: lacks the column 'question' .* has 'image', 'text'"),
        ("image,question\n", r"q\.csv: has no rows"),
        ("image,question\na.jpg,red\n,blue\n", r"q\.csv, line 3: must have"),
        ("image,question\na.jpg,red,blue\n", r"q\.csv, line 2: must have"),
        ("image,question\na.jpg, \n", r"q\.csv, line 2: a question is empty"),
        ('image,question\n"a.jpg,red\n', r"q\.csv: cannot be read as CSV"),
    ):
        table.write_text(content)
        with pytest.raises(UserError, match=message):
            gather_questions([table], [])


def test_a_policy_without_a_recipe_is_asked_as_the_papers_and_that_is_said(
    asked: list[ImageQuestions],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(ROOT / "src/samr1/micro/weights/policy", tmp_path / "policy")
    common = ("segment", asked[0].image, asked[0].questions[0], "--policy", tmp_path / "policy")
    monkeypatch.chdir(tmp_path)
    assert run(*common, "--segmenter", "micro", "--image-size", "84") == 0
    said = capsys.readouterr().err
    assert "does not say how it is asked (samr1.json), so settings like the paper's serve" in said
    assert "segmenter micro, dialect sam_r1, 84 pixels, bfloat16, at most 1024 tokens." in said
    assert run(*common, "--segmenter", "micro", "--image-size", "85") == 1
    assert "give an image size that is a multiple of 14" in capsys.readouterr().err
    settings = BASE_SETTINGS.model_copy(update={"segmenter": "checkpoints/sam2_hiera_large.pt"})
    (tmp_path / "policy" / "samr1.json").write_text(write_settings(settings))
    assert run(*common) == 1
    assert "trained with the segmenter checkpoints/sam2_hiera_large.pt" in capsys.readouterr().err


def test_the_installed_command_runs_from_anywhere(tmp_path: Path) -> None:
    """What the installation puts into an environment: here an empty one, which borrows the rest."""
    python = tmp_path / "my env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "my env"], check=True)
    subprocess.run(["bash", ROOT / "envs" / "link_project.sh", python], check=True)
    borrowed = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    asked = [python.parent / "samr1", "segment", "--help"]
    done = subprocess.run(asked, cwd=tmp_path, env=borrowed, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: samr1 segment")
    module = [python, "-P", "-c", "import samr1; print(samr1.__file__)"]
    where = subprocess.run(module, cwd=tmp_path, env=borrowed, capture_output=True, text=True)
    assert Path(where.stdout.strip()).is_relative_to(ROOT)
