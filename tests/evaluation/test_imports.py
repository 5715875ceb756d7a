"""Predictions that an invented system's own code wrote: every form, and every refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import call
from PIL import Image
from scoring import score, values_of

from samr1.cli import import_predictions as command
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data.masks import decode_mask, encode_mask
from samr1.evaluation.imports import import_predictions

WIDTH, HEIGHT = 6, 4
# Two questions on one image, and one on another: x is no name for either of the first two.
QUESTIONS = {"set/val/1/0": "x", "set/val/2/1": "x", "set/val/third": "y"}
MASKS = {
    sample_id: np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 5 == offset
    for offset, sample_id in enumerate(QUESTIONS)
}


@pytest.fixture
def samples() -> pa.Table:
    rows = [
        {
            "sample_id": sample_id,
            "image_id": image_id,
            "image_path": f"{image_id}.png",
            "query": "the thing",
            "sentence_index": 0,
            "width": WIDTH,
            "height": HEIGHT,
            "box": [0.0, 0.0, 1.0, 1.0],
            "mask": encode_mask(MASKS[sample_id]),
        }
        for sample_id, image_id in QUESTIONS.items()
    ]
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def save_masks(folder: Path) -> Path:
    """Beside a hidden one of none of the questions, as editors leave them."""
    (folder / ".ipynb_checkpoints").mkdir(parents=True, exist_ok=True)
    Image.new("L", (WIDTH, HEIGHT)).save(folder / ".ipynb_checkpoints/0.png")
    for sample_id, mask in MASKS.items():
        file = folder / f"{sample_id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8) * 255).save(file)
    return folder


def results() -> list[dict[str, Any]]:
    found = []
    for sample_id, mask in MASKS.items():
        rle = encode_mask(mask)
        segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
        found.append({"sample_id": sample_id, "segmentation": segmentation, "score": 0.5})
    return found


def save_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def save_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def parquet_rows() -> list[dict[str, Any]]:
    return [{"sample_id": key, "mask": dict(encode_mask(mask))} for key, mask in MASKS.items()]


def test_every_form_gives_the_same_predictions(tmp_path: Path, samples: pa.Table) -> None:
    plain = results()
    plain[1]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": []}
    flat = MASKS["set/val/2/1"].T.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    plain[1]["segmentation"]["counts"] = runs  # plain run lengths
    plain[2]["segmentation"] = MASKS["set/val/third"].astype(int).tolist()  # rows of pixels
    backwards = list(reversed(parquet_rows()))
    found = [
        import_predictions(path, samples, "mask")
        for path in (
            save_masks(tmp_path / "masks"),
            save_json(tmp_path / "coco.json", plain),
            save_parquet(tmp_path / "theirs.parquet", backwards),
        )
    ]
    assert found[0].equals(found[1]) and found[0].equals(found[2])
    assert found[0]["sample_id"].to_pylist() == list(QUESTIONS)
    for row in found[0].to_pylist():
        assert (decode_mask(row["mask"]) == MASKS[row["sample_id"]]).all()
    # Its own ground truth: nothing was turned, shifted or mixed up on the way.
    figures = values_of(score(samples, found[0], "seg_zero"))
    assert figures.pop("unparseable") == 0
    assert set(figures.values()) == {1} and {"giou", "ciou", "right_point"} <= set(figures)


def test_boxes_are_given_or_the_extent_of_the_mask(tmp_path: Path, samples: pa.Table) -> None:
    entries = results()
    entries[0] |= {"bbox": [1, 2, 3, 1.5], "segmentation": None}
    entries[1] |= {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}}
    entries[2] |= {"segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}
    found = import_predictions(save_json(tmp_path / "a.json", entries), samples, "box").to_pylist()
    assert found[0]["box"] == [1, 2, 4, 3.5] and found[0]["mask"] is None
    assert found[1]["box"] is None and found[1]["status"] == "ok"  # an empty mask is an answer
    assert found[2]["box"] == [1, 1, 3, 3]


def test_null_is_no_answer(tmp_path: Path, samples: pa.Table) -> None:
    rows = parquet_rows()
    rows[1]["mask"] = None
    found = import_predictions(save_parquet(tmp_path / "a.parquet", rows), samples, "mask")
    assert found["status"].to_pylist() == ["ok", "no_answer", "ok"]
    assert found["mask"][1].as_py() is None


def test_a_question_goes_by_what_names_it_alone(tmp_path: Path, samples: pa.Table) -> None:
    entries = results()
    entries[2] = {"image_id": "y", "segmentation": entries[2]["segmentation"]}
    assert len(import_predictions(save_json(tmp_path / "a.json", entries), samples, "mask")) == 3
    folder = save_masks(tmp_path / "masks")
    (folder / "set/val/third.png").rename(folder / "third.png")
    assert len(import_predictions(folder, samples, "mask")) == 3
    entries[0] = {"image_id": "x", "segmentation": entries[0]["segmentation"]}
    with pytest.raises(UserError, match=r"result 1 answers 'x', which names no question .* or sev"):
        import_predictions(save_json(tmp_path / "a.json", entries), samples, "mask")


def edit_folder(folder: Path, change: str) -> None:
    first = folder / "set/val/1/0.png"
    image = Image.open(first).copy()
    if change == "missing":
        first.unlink()
    elif change == "unknown":
        image.save(folder / "stray.png")
    elif change == "twice":
        image.save(folder / "third.png")
    else:
        first.write_bytes(first.read_bytes()[:45])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"masks: 1 of 3 questions have no answer, the first 'set/val/1/0'"),
        ("unknown", r"masks: stray.png answers 'stray', which names no question"),
        ("twice", r"third.png answers 'set/val/third' once more"),
        ("broken", r"0.png: the image is broken"),
    ],
)
def test_masks_that_do_not_fit_are_refused(
    tmp_path: Path, samples: pa.Table, change: str, message: str
) -> None:
    folder = save_masks(tmp_path / "masks")
    edit_folder(folder, change)
    with pytest.raises(UserError, match=message):
        import_predictions(folder, samples, "mask")


RUNS = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_id": "set/val/9/0"}, r"result 1 answers 'set/val/9/0', which names no question"),
        ({"sample_id": "set/val/2/1"}, r"result 2 answers 'set/val/2/1' once more"),
        ({"sample_id": ["x"]}, r"result 1 has no sample_id and no image_id"),
        ({"segmentation": {**RUNS, "size": [WIDTH, HEIGHT]}}, r"'set/val/1/0': .* size \[6, 4\]"),
        ({"segmentation": {**RUNS, "counts": [10**12]}}, r"run lengths do not add up"),
        ({"segmentation": {**RUNS, "counts": "\ud800"}}, r"run-length encoding that does not fit"),
        ({"segmentation": [[1, 2, 3]]}, r"a polygon that is not three or more"),
        ({"segmentation": "mask.png"}, r"neither polygons nor run lengths"),
        ({"bbox": [1, 2, 3]}, r"bbox \[1, 2, 3\] is not \[x, y, width, height\]"),
        ({"bbox": "1234"}, r"is not \[x, y, width, height\]"),
        ({"bbox": [1, 2, 10**400, 3]}, r"is not \[x, y, width, height\]"),
        ({"bbox": [1, 2, 3, float("nan")]}, r"is not \[x, y, width, height\]"),
        ({"bbox": [1, 2, 3, float("inf")]}, r"is not \[x, y, width, height\]"),
    ],
)
def test_results_that_do_not_fit_are_refused(
    tmp_path: Path, samples: pa.Table, change: dict[str, Any], message: str
) -> None:
    entries = results()
    entries[0] |= change
    with pytest.raises(UserError, match=message):
        import_predictions(save_json(tmp_path / "a.json", entries), samples, "mask")


def test_tables_that_do_not_fit_are_refused(tmp_path: Path, samples: pa.Table) -> None:
    def refuse(rows: list[dict[str, Any]], message: str, needed: str = "mask") -> None:
        with pytest.raises(UserError, match=message):
            import_predictions(save_parquet(tmp_path / "a.parquet", rows), samples, needed)

    rows = parquet_rows()
    refuse(rows[1:], r"a.parquet: 1 of 3 samples have no answer, the first 'set/val/1/0'")
    refuse([*rows, rows[0]], r"rows 1 and 4 both answer 'set/val/1/0'")
    refuse([*rows, rows[0] | {"sample_id": "z"}], r"row 4 answers 'z', which is not among")
    refuse([row | {"mask": "m"} for row in rows], r"column 'mask' has the type string")
    refuse([{"sample_id": row["sample_id"]} for row in rows], r"needs the column sample_id, and")
    turned = dict(encode_mask(MASKS["set/val/1/0"].T))
    refuse([rows[0] | {"mask": turned}, *rows[1:]], r"'set/val/1/0': the predicted mask has the s")
    boxes = [{"sample_id": row["sample_id"], "box": [0.0, 0.0, 1.0, 1.0]} for row in rows]
    refuse(boxes, r"gives no mask, and this benchmark is scored by it")
    refuse([boxes[0] | {"box": [0.0, 1.0]}, *boxes[1:]], r"is not four finite numbers", "box")
    refuse([boxes[0] | {"box": [3.0, 1.0, 2.0, 4.0]}, *boxes[1:]], r"is not \[x1, y1, x2", "box")
    refuse(boxes, r"its boxes lie between 0 and 1", "box")
    refuse([boxes[0] | {"box": [0.1, 0.2, 0.5, 1.0001]}, *boxes[1:]], r"between 0 and 1", "box")


def test_files_that_are_not_what_they_say_are_refused(tmp_path: Path, samples: pa.Table) -> None:
    broken = {
        "none.json": (None, r"none.json: no such file"),
        "a.txt": (b"", r"a.txt: is none of the forms that are read; give a folder of PNG masks"),
        "list.json": (b"{}", r"list.json: must be a list of results"),
        "cut.json": (b'[{"sample_id"', r"cut.json: not a JSON file"),
        "deep.json": (b"[" * 100_000, r"deep.json: not a JSON file"),
        "text.parquet": (b"PAR1", r"text.parquet: not a readable Parquet file"),
    }
    for name, (content, message) in broken.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            import_predictions(tmp_path / name, samples, "mask")


def test_the_command_writes_predictions_or_nothing(tmp_path: Path, samples: pa.Table) -> None:
    pq.write_table(samples, tmp_path / "samples.parquet")
    folder, output = save_masks(tmp_path / "masks"), tmp_path / "out" / "predictions.parquet"
    options = {"samples": tmp_path / "samples.parquet", "predictions": folder, "output": output}
    edit_folder(folder, "missing")
    with pytest.raises(UserError, match="questions have no answer"):
        call(command.main, **options)
    assert not output.exists()
    save_masks(folder)
    call(command.main, **options)
    assert pq.read_table(output).cast(schemas.PREDICTIONS).num_rows == 3
