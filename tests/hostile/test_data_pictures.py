"""Pictures, masks and answers of strangers: what is read of them, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import HEIGHT, WIDTH, polygon, square
from hostile_data import ALL, as_png, compressed, grey, odd_tiff, refused, write_samples
from PIL import Image
from scoring import score

from samr1.config.errors import read_mapping
from samr1.core import schemas
from samr1.core.errors import UserError, run_command
from samr1.core.files import read_table
from samr1.data import masks
from samr1.data.image_files import check_image
from samr1.data.images import load_mask, load_picture
from samr1.evaluation.imports import import_predictions

# Pictures of masks, and answers


def palette(*colours: int) -> Image.Image:
    image = Image.fromarray(square().astype(np.uint8)).convert("P")
    image.putpalette(colours)
    return image


def with_alpha(image: Image.Image) -> Image.Image:
    """The object opaque and all else not there."""
    image.putalpha(grey(0, 255))
    return image


MASKS: list[tuple[Image.Image, int]] = [
    (Image.fromarray(square()), ALL),
    (grey(0, 255), ALL),
    (grey(0, 1), ALL),
    (grey(255, 0), WIDTH * HEIGHT - ALL),  # white is the object, wherever it is
    (grey(0, 255).convert("RGB"), ALL),
    (grey(0, 255).convert("RGBA"), ALL),  # with a channel of transparency, and nothing in it
    (Image.fromarray((square() * 65_535).astype(np.uint16)), ALL),
    (palette(0, 0, 0, 255, 255, 255), ALL),
    (palette(255, 255, 255, 0, 0, 0), WIDTH * HEIGHT - ALL),
    (palette(0, 0, 0, 128, 0, 0), ALL),
]


@pytest.mark.parametrize(("image", "pixels"), MASKS)
def test_a_mask_is_what_its_picture_shows(image: Image.Image, pixels: int) -> None:
    found = load_mask(as_png(image), "a.png", WIDTH, HEIGHT)
    assert found.sum() == pixels and found[7, 12] == (pixels == ALL)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (grey(3, 250), r"a\.png: the mask shows several colours beside black"),
        (palette(255, 255, 255, 128, 0, 0), "several colours beside black"),
        (grey(0, 255).resize((WIDTH, HEIGHT)).rotate(9, Image.Resampling.BILINEAR), "several col"),
        (with_alpha(grey(255, 255)), "the mask is transparent in parts"),
        (with_alpha(grey(0, 255).convert("RGB")), "the mask is transparent in parts"),
        (
            grey(0, 255).resize((WIDTH * 2, HEIGHT)),
            "the image is 80×30 pixels and the one",
        ),
    ],
)
def test_a_mask_that_nobody_can_tell_is_refused(image: Image.Image, told: str) -> None:
    refused(told, lambda: load_mask(as_png(image), "a.png", WIDTH, HEIGHT))


LARGER = [polygon(100, 70, 200, 150)]
RUNS = compressed(square())
ANSWERS: list[tuple[Any, int | str]] = [
    ({"segmentation": RUNS}, ALL),
    ({"segmentation": [RUNS]}, ALL),
    ({"segmentation": square().astype(int).tolist()}, ALL),
    ({"segmentation": (square() * 255).tolist()}, ALL),
    ({"segmentation": square().tolist()}, ALL),
    ({"segmentation": np.zeros((HEIGHT, WIDTH), int).tolist()}, 0),
    ({"segmentation": []}, 0),
    ({"segmentation": RUNS | {"counts": ""}}, "a run-length encoding that does not fit"),
    ({"segmentation": RUNS | {"counts": f"b'{RUNS['counts']}'"}}, "encoding that does not fit"),
    ({"segmentation": LARGER}, "its polygons go to 200, 150 in an image of 40×30"),
    ({"segmentation": [polygon(41, 10, 41.5, 20)]}, "polygons cover no pixel of the image"),
    ({"segmentation": [[0.1, 0.1, 0.5, 0.1, 0.5, 0.9]]}, "all lie between 0 and 1"),
    ({"segmentation": [[0, 1, 1, 0]] * 3}, "3 rows of 4 pixels, and its image has 30 of 40"),
    ({"mask": RUNS}, "result 1 has neither `segmentation` nor `bbox`"),
    ({"bbox": [0.1, 0.2, 0.5, 0.6], "segmentation": RUNS}, "its boxes lie between 0 and 1"),
    ({"bbox": [1, 2, -3, 4]}, r"its bbox .* is not \[x, y, width, height\]"),
    ({"bbox": [True, 2, 3, 4]}, r"is not \[x, y, width, height\]"),
    ({"bbox": [1, 2, 1e308, 1e308]}, r"is not \[x, y, width, height\]"),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_an_answer_is_read_as_what_it_is_or_refused(
    tmp_path: Path, answer: dict[str, Any], expected: int | str
) -> None:
    samples, path = write_samples(tmp_path), tmp_path / "answers.JSON"
    content = json.dumps([{"sample_id": "reasonseg/val/a"} | answer])
    path.write_text(content, encoding="utf-8-sig")
    if isinstance(expected, str):
        refused(expected, lambda: import_predictions(path, samples, "mask"))
    else:
        (found,) = import_predictions(path, samples, "mask").to_pylist()
        assert masks.decode_mask(found["mask"]).sum() == expected


RLE = masks.encode_mask(square())
PREDICTIONS: list[tuple[dict[str, Any], Any, str | None]] = [
    ({"mask": pa.array([RLE], schemas.RLE), "points": [[None]]}, "lisa", None),
    ({"mask": pa.array([{"size": None, "counts": b"x"}], schemas.RLE)}, "lisa", "lacks its size"),
    ({"box": [[True, False, True, True]]}, "rec", "boxes are true and false"),
    ({"box": [[0.1, 0.2, 0.5, 1.0001]]}, "rec", None),
    ({"box": [[0.5, 0.2, 0.1, 0.6]]}, "rec", r"is not \[x1, y1, x2, y2\]"),
]


@pytest.mark.parametrize(("columns", "protocol", "told"), PREDICTIONS)
def test_predictions_are_scored_as_what_they_are_or_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, Any],
    protocol: Any,
    told: str | None,
) -> None:
    samples = write_samples(tmp_path)
    predictions = pa.table({"sample_id": samples["sample_id"], **columns})
    if "points" in columns:
        points = predictions["points"].cast(pa.list_(schemas.POINT))
        predictions = predictions.set_column(2, "points", points)
    if told is not None:
        refused(told, lambda: score(samples, predictions, protocol))
        return
    score(samples, predictions, protocol)
    assert ("boxes lie between 0 and 1" in capsys.readouterr().err) == ("box" in columns)


def test_samples_that_stand_twice_are_not_scored(tmp_path: Path) -> None:
    samples = write_samples(tmp_path)
    twice = pa.concat_tables([samples, samples])
    refused(
        "the samples have 'reasonseg/val/a' twice",
        lambda: score(twice, samples.select(["sample_id", "mask"]), "seg_zero"),
    )


# Pictures


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x89PNG\r\n\x1a\n", "a: (not an image|the image is broken)"),
        (b"", "a: not an image"),
        (odd_tiff(), "a: the image is broken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a: not an image"),
    ],
)
def test_whatever_a_decoder_raises_is_the_pictures_error(data: bytes, told: str) -> None:
    refused(told, lambda: load_picture(data, "a"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\0.jpg", "embedded null byte"),
        ("a" * 300, "File name too long"),
        (".", "no regular"),
    ],
)
def test_a_name_that_is_none_is_one_sentence(tmp_path: Path, name: str, told: str) -> None:
    refused(told, lambda: check_image(tmp_path / name))
    refused(told, lambda: read_table(tmp_path / name))
    refused(told, lambda: read_mapping(tmp_path / name))


def test_nothing_of_the_data_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError("a\x1b[2J\n\u202eb\udc80: broken.")

    with pytest.raises(SystemExit):
        run_command(fail)
    assert capsys.readouterr().err == "error: a\\x1b[2J\\n\\u202eb\\udc80: broken.\n"
