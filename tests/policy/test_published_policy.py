"""Published checkpoints, by their names and sizes: no weights are needed.

`fixtures/{qwen2.5_vl_3b,qwen2.5_vl_7b,qwen3_vl_4b,qwen3_vl_8b}.config.json` are the published
config.json files.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TRAINED, tiny_policy

from samr1.core.errors import UserError
from samr1.core.weights import Shapes, find_mismatch, safetensors_files, safetensors_shapes
from samr1.policy.meta import (
    build_on_meta,
    check_weights,
    name_as_model,
    needed_shapes,
    read_policy_config,
)
from samr1.policy.model import load_policy, save_policy

FIXTURES = Path(__file__).parents[1] / "fixtures"
PUBLISHED: dict[str, Any] = {
    f"{family}_{size}": values
    for family in ("qwen2.5_vl", "qwen3_vl")
    for size, values in json.loads((FIXTURES / f"{family}.weights.json").read_text()).items()
    if size != "source"
}
CONFIG_SHA256 = {
    "qwen2.5_vl_3b": "7ed3eed5be6924cc800e8a5e53fc405c1aab1aaf36bad65c33403b36c56827f5",
    "qwen2.5_vl_7b": "77d9ec7321cc572e3579e2c84799c9cadaded63c49ce93b101733349fc330c43",
    "qwen3_vl_4b": "edac7703329133edfc53e46ac0081835144c99d7eebf28b71c732694d435224d",
    "qwen3_vl_8b": "5cd452860dc1e9c29dd71cc3cef7f39b338b7a40793f7a260655c2d3568f3661",
}
NUMBERS = {  # of all weights, and of the vision tower's
    "qwen2.5_vl_3b": (3_754_622_976, 668_684_288),
    "qwen2.5_vl_7b": (8_292_166_656, 676_550_144),
    "qwen3_vl_4b": (4_437_815_808, 415_347_712),
    "qwen3_vl_8b": (8_767_123_696, 576_388_336),
}
RANGE = re.compile(r"\{0-(\d+)\}")
FILE_LIMIT = {"qwen2.5_vl": 4e9, "qwen3_vl": 5e9}  # bytes


def published_shapes(name: str) -> Shapes:
    """Names and shapes in the order of the files: layer by layer."""

    def expand() -> Iterator[tuple[str, tuple[int, ...]]]:
        weights = PUBLISHED[name]["weights"].items()
        for pattern, group in groupby(weights, key=lambda item: item[0].partition("}")[0]):
            members = list(group)
            many = RANGE.search(members[0][0])
            for index in range(int(many[1]) + 1 if many else 1):
                for weight, shape in members:
                    yield RANGE.sub(str(index), weight), tuple(shape)
            assert bool(many) == ("{" in pattern)

    return dict(expand())


def index_text(shapes: Shapes, limit: float) -> str:
    """The model.safetensors.index.json of these weights in bfloat16."""
    file, size, files = 1, 0, {}
    for name, shape in shapes.items():
        length = 2 * math.prod(shape)
        if size + length > limit:
            file, size = file + 1, 0
        size += length
        files[name] = file
    content = {
        "metadata": {"total_size": 2 * sum(math.prod(shape) for shape in shapes.values())},
        "weight_map": {
            name: f"model-{number:05d}-of-{file:05d}.safetensors" for name, number in files.items()
        },
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_fixtures_are_the_published_files(name: str) -> None:
    config = (FIXTURES / f"{name}.config.json").read_bytes()
    assert hashlib.sha256(config).hexdigest() == CONFIG_SHA256[name]
    limit = FILE_LIMIT[name.rpartition("_")[0]]
    index = index_text(published_shapes(name), limit).encode()
    assert hashlib.sha256(index).hexdigest() == PUBLISHED[name]["index_sha256"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_checkpoint_fits_the_model_of_its_config(name: str, tmp_path: Path) -> None:
    config = FIXTURES / f"{name}.config.json"
    (tmp_path / "config.json").write_bytes(config.read_bytes())
    model = build_on_meta(read_policy_config(tmp_path))
    total, visual = NUMBERS[name]
    assert sum(weight.numel() for weight in model.parameters()) == total
    assert sum(weight.numel() for weight in model.model.visual.parameters()) == visual
    published, needed = published_shapes(name), needed_shapes(model)
    assert find_mismatch(needed, name_as_model(model, published)) is None
    assert len(published) == len(needed)
    check_weights(model, published, name)  # and one layer of each kind can be run
    # One name less, one more, one of another shape: each is found, under the model's name.
    language, tower = (
        ("model.", "visual.") if "2.5" in name else ("model.language_model.", "model.visual.")
    )
    del published[f"{language}norm.weight"]
    published[f"{tower}extra.weight"] = (1,)
    bias = f"{tower}blocks.23.attn.qkv.bias"
    (width,), published[bias] = published[bias], (1,)
    assert find_mismatch(needed, name_as_model(model, published)) == (
        "1 missing (model.language_model.norm.weight), 1 unexpected (model.visual.extra.weight), "
        f"1 of another shape (model.visual.blocks.23.attn.qkv.bias: (1,) instead of ({width},))"
    )


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("names", ["published", "the model's"])
def test_names_are_matched_as_they_are_loaded(names: str, family: str, tmp_path: Path) -> None:
    policy = tiny_policy(family=family)
    save_policy(policy, tmp_path)  # `save_pretrained` writes the published names
    if names != "published":
        own = policy.model.state_dict()
        save_file(own, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = safetensors_shapes(safetensors_files(tmp_path))
    # A Qwen3-VL is published under the model's own names.
    own_names = {name for name in found if name.startswith("model.visual.")}
    assert bool(own_names) == (names != "published" or family == "qwen3_vl")
    model = build_on_meta(read_policy_config(tmp_path))
    assert find_mismatch(needed_shapes(model), name_as_model(model, found)) is None
    loaded = load_policy(tmp_path).model.state_dict()
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded[name]), name


def test_a_checkpoint_in_files_names_those_that_are_not_there(tmp_path: Path) -> None:
    policy = tiny_policy()
    save_policy(policy, tmp_path)
    one, two = tmp_path / "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(weights)
    half = {name: weights[name] for name in names[: len(names) // 2]}
    save_file(half, one, metadata={"format": "pt"})
    files = {name: one.name if name in half else two for name in names}
    index = {"metadata": {"total_size": 0}, "weight_map": files}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"lacks model-00002-of-00002\.safetensors of the 2"):
        load_policy(tmp_path)
    rest = {name: weights[name] for name in names if name not in half}
    save_file(rest, tmp_path / two, metadata={"format": "pt"})
    assert set(safetensors_shapes(safetensors_files(tmp_path))) == set(names)
    loaded = load_policy(tmp_path).model.state_dict()
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded[name]), name


def test_weights_that_could_run_code_are_not_read(tmp_path: Path) -> None:
    save_policy(tiny_policy(), tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="only safetensors are read"):
        load_policy(tmp_path)


def test_another_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl_moe"}')
    known = "qwen2_5_vl or qwen2_vl or qwen3_vl"
    with pytest.raises(UserError, match=f"type 'qwen3_vl_moe'; name one of type {known}"):
        read_policy_config(tmp_path)


def private_memory() -> int:
    """Bytes of this process that no file backs, by Linux's account."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])  # type: ignore[index]


def test_a_checkpoint_in_its_own_format_is_not_copied_to_the_hosts_memory(tmp_path: Path) -> None:
    policy = tiny_policy(hidden=256, layers=24, heads=4)
    policy.model.bfloat16()
    save_policy(policy, tmp_path)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert size > 20e6
    del policy
    load_policy(tmp_path, "bfloat16")  # what is loaded with the first
    before = private_memory()
    loaded = load_policy(tmp_path, "bfloat16")
    assert private_memory() - before < size / 2
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.bfloat16}
