"""The page about a data set of one's own: what it counts, names and draws."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from commands import call
from data_world import HEIGHT, WIDTH
from own_world import save_mask, save_picture, stage, write_photos, write_rows
from PIL import Image

from samr1.cli import check_dataset
from samr1.config.own_data import OwnDataStage
from samr1.config.schema import dump_stage
from samr1.data.own.reading import read_own
from samr1.data.painting import GREEN
from samr1.report.dataset import facts
from samr1.report.dataset.page import write_page


def write(root: Path, output: Path, **keys: object) -> str:
    """The page of the data set under `root`, tags taken away."""
    settings = stage(root, **keys)
    write_page(settings, read_own(settings, "skip"), output)
    page = (output / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    return re.sub(r"<[^>]+>", " ", page[page.index("<h1>") :])


def test_the_page_counts_what_is_there(tmp_path: Path) -> None:
    rows = write_photos(tmp_path, 20)
    rows += [{**row, "question": "<b>it</b> & more"} for row in rows[:5]]
    write_rows(tmp_path / "questions.csv", [{**row, "note": "x"} for row in rows])
    text = " ".join(write(tmp_path, tmp_path / "page").split())
    assert "both 25 20 1.2 2" in text
    assert f"image, pixels wide {WIDTH} {WIDTH} {WIDTH}" in text
    assert "target, % of its image 8.33 8.33 8.33" in text  # 100 of 1,200 pixels
    assert "5 to 20 % 25 100 %" in text
    assert "&lt;b&gt;it&lt;/b&gt; &amp; more 5" in text
    assert "column &#x27;note&#x27; of the table, which is not read 1" in text
    assert "The part test has 4 images; intervals will be wide" in text
    assert "file: questions.csv" in text
    assert "What is wrong" not in text and "same pixels" not in text
    files = sorted(path.name for path in (tmp_path / "page").glob("*.jpg"))
    assert files == [f"sample_{number:02}.jpg" for number in range(1, 13)]


def test_what_is_wrong_is_named_by_its_kind(tmp_path: Path) -> None:
    rows = write_photos(tmp_path, 10)
    for number in range(5):
        rows[number]["image"] = f"img/gone_{number}.png"
    rows[5]["mask"] = ""
    save_picture(tmp_path / "img/9.png", 8)  # the pixels of another
    write_rows(tmp_path / "questions.csv", rows)
    text = write(tmp_path, tmp_path / "page", on_bad_sample="skip")
    assert "6 samples cannot be used and are skipped; 4 can." in text
    assert text.count("no such file") == 3 and "… and 2 more like these" in text
    assert "row 7: it has neither a mask nor a segmentation" in text
    assert "img/8.png, img/9.png" in text
    assert "cannot be used and stop the indexing" in write(tmp_path, tmp_path / "page")


def test_remarks_are_of_what_may_be_a_mistake(tmp_path: Path) -> None:
    rows = write_photos(tmp_path, 4)
    rows[2]["question"] = "the background"
    whole, speck = np.ones((HEIGHT, WIDTH), bool), np.zeros((1000, 1000), bool)
    whole[:2], speck[0, 0] = False, True
    save_mask(tmp_path / "masks/0.png", whole)
    save_mask(tmp_path / "masks/1.png", speck)
    save_picture(tmp_path / "img/1.png", 1, (1000, 1000))
    write_rows(tmp_path / "questions.csv", [{**row, "split": "train"} for row in [*rows, rows[3]]])
    reading = read_own(stage(tmp_path))
    found = reading.samples.to_pylist()
    remarks = facts.find_remarks(found, facts.target_shares(found), [["a", "b"]], "the {category}")
    ids = [row["sample_id"] for row in found]
    assert [remark.split(". ")[0] for remark in remarks] == [
        "The part test is empty.",
        f"Targets of more than 90% of their image: 1 ({ids[0]})",
        f"Targets of less than 0.05% of their image: 1 ({ids[1]}).",
        f"Questions about the background: 1 ({ids[2]})",
        f"Questions asked more than once of one image: 1 (img/3.png: {rows[3]['question']})",
        "Pictures that lie there as several files: 1 (below)",
    ]


def drawn(root: Path, output: Path, **keys: object) -> np.ndarray:
    """The picture of the one sample of a part, int [h, w, 3]."""
    settings = stage(root, **keys)
    write_page(settings, read_own(settings), output)
    return np.asarray(Image.open(output / "sample_01.jpg")).astype(int)


def paint_grey(root: Path, **cells: object) -> None:
    """Two grey pictures of 400×300 with the same row each, but for a shade."""
    mask = np.zeros((300, 400), bool)
    mask[50:150, 100:200] = True
    save_mask(root / "mask.png", mask)
    save_mask(root / "void.png", np.roll(mask, 150, axis=1))
    rows = []
    for number in range(2):
        Image.new("RGB", (400, 300), (128 + number,) * 3).save(root / f"{number}.png")
        rows.append({"image": f"{number}.png", "question": "it", **cells})
    write_rows(root / "questions.csv", rows)


def test_targets_are_outlined_and_ignored_pixels_dark(tmp_path: Path) -> None:
    paint_grey(tmp_path, mask="mask.png", ignore="void.png")
    pixels = drawn(tmp_path, tmp_path / "page")
    assert pixels.shape == (300, 400, 3)
    assert np.abs(pixels[51, 110:190] - GREEN).max() < 40  # JPEG keeps colours at half the size
    assert np.abs(pixels[100, 150] - 128).max() < 24
    assert pixels[100, 300].max() < 60 and np.abs(pixels[250, 50] - 128).max() < 8


def test_a_box_alone_is_drawn_and_said(tmp_path: Path) -> None:
    paint_grey(tmp_path, box=[100, 50, 200, 150])
    pixels = drawn(tmp_path, tmp_path / "page", target="box")
    assert np.abs(pixels[51, 110:190] - GREEN).max() < 40
    assert np.abs(pixels[100, 150] - 128).max() < 8
    text = write(tmp_path, tmp_path / "page", target="box")
    assert "The target of a question is a box alone" in text
    assert "target, % of its image 8.33 8.33 8.33" in " ".join(text.split())


def test_the_same_data_set_gives_the_same_bytes(tmp_path: Path) -> None:
    write_rows(tmp_path / "questions.csv", write_photos(tmp_path, 20))
    for name in ("one", "two"):
        write(tmp_path, tmp_path / name)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_command_goes_on_where_indexing_would_stop(tmp_path: Path) -> None:
    rows = write_photos(tmp_path)
    write_rows(tmp_path / "questions.csv", [{**rows[0], "image": "gone.png"}, *rows[1:]])
    settings: OwnDataStage = stage(tmp_path)
    (tmp_path / "mine.yaml").write_text(dump_stage(settings))
    call(check_dataset.main, config=tmp_path / "mine.yaml", output=tmp_path / "page")
    assert "gone.png: no such file" in (tmp_path / "page/index.html").read_text(encoding="utf-8")
