"""The picture of examples: drawn whole, the same bytes twice, with unreadable answers too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from samr1.core import schemas
from samr1.data.masks import encode_mask
from samr1.report.figures.examples import draw_examples


def test_examples_are_drawn_for_good_and_bad_answers(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "a.png")
    samples = [
        {
            "sample_id": f"s{i}",
            "dataset": "d",
            "split": "test",
            "image_id": "a",
            "image_path": "a.png",
            "width": 60,
            "height": 40,
            "query": "the thing that would roll off a table",
            "sentence_index": 0,
            "box": [10.0, 10.0, 30.0, 20.0],
            "mask": encode_mask(mask),
            "ignore": None,
        }
        for i in range(4)
    ]
    good = {
        "text": "t",
        "think": "it is there because it fits",
        "box": [10.0, 10.0, 30.0, 20.0],
        "points": [{"x": 20.0, "y": 15.0, "value": 1}, {"x": 50.0, "y": 5.0, "value": 0}],
        "label": "thing",
        "mask": encode_mask(mask),
        "sam_score": 0.9,
        "status": "ok",
        "response_tokens": 7,
    }
    bad = dict.fromkeys(good, None) | {"status": "no_answer", "text": ""}
    rows = [{"sample_id": f"s{i}", **(bad if i % 2 else good)} for i in range(4)]
    predictions = pa.Table.from_pylist(rows, schema=schemas.PREDICTIONS)
    table = pa.Table.from_pylist(samples, schema=schemas.SAMPLES)
    outputs = [tmp_path / "one.png", tmp_path / "two.png"]
    for output in outputs:
        draw_examples(table, [("base", predictions)], tmp_path, 2, output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    picture = np.asarray(Image.open(outputs[0]).convert("RGB")).reshape(-1, 3)
    orange = np.abs(picture.astype(int) - (0xE6, 0x9F, 0)).sum(1) < 30
    assert orange.sum() > 100  # the box is there
