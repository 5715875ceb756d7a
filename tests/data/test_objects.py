"""All annotated objects of a benchmark's images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import call
from data_world import HEIGHT, WIDTH, annotation, polygon, ref, write_refer

from samr1.cli import index_objects
from samr1.core.errors import UserError
from samr1.core.files import read_table, write_table
from samr1.core.schemas import OBJECTS
from samr1.data import refer
from samr1.data.masks import decode_mask, mask_box
from samr1.data.objects import read_objects


def write_set(root: Path) -> Path:
    """Two images, the first asked about, with an object that nobody asks about and a bad one."""
    annotations = [
        annotation(1),
        annotation(2),
        annotation(3, [polygon(0, 0, 5, 5)], image_id=1),
        annotation(4, [polygon(50, 50, 60, 60)], image_id=1),
    ]
    write_refer(root, [ref(1), ref(2, split="train")], annotations)
    return root / "refcocog" / "instances.json"


def test_every_object_of_an_image_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instances = write_set(tmp_path)
    samples, output = tmp_path / "samples.parquet", tmp_path / "objects.parquet"
    write_table(samples, refer.read(tmp_path, "refcocog", "umd", "test"))
    call(index_objects.main, samples=samples, instances=instances, output=output)
    rows = read_table(output, OBJECTS).to_pylist()
    assert [row["image_id"] for row in rows] == ["1", "1"]
    drawn = [decode_mask(row["mask"]) for row in rows]
    assert [mask.shape for mask in drawn] == [(HEIGHT, WIDTH)] * 2
    assert [mask_box(mask) for mask in drawn] == [[10, 5, 20, 15], [0, 0, 5, 5]]
    assert "skipped 1 of 3: annotation 4: its polygons cover no pixel" in capsys.readouterr().err


@pytest.mark.parametrize("fields", [{"image_id": [1]}, {"image_id": None}, {"segmentation": 7}])
def test_what_is_no_annotation_of_an_image_is_nobodys_answer(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    instances = write_set(tmp_path)
    samples = refer.read(tmp_path, "refcocog", "umd", "test")
    content = json.loads(instances.read_text())
    content["annotations"][2] |= fields
    content["images"][1]["file_name"] = ["a"]
    instances.write_text(json.dumps(content))
    assert len(read_objects(instances, samples)) == 1


def test_a_file_without_an_image_asked_about_is_refused(tmp_path: Path) -> None:
    instances = write_set(tmp_path)
    samples = refer.read(tmp_path, "refcocog", "umd", "test")
    content = json.loads(instances.read_text())
    instances.write_text(json.dumps(content | {"images": content["images"][1:]}))
    with pytest.raises(UserError, match=r"lacks 1 of the samples' 1 images, the first COCO_train"):
        read_objects(instances, samples)
