"""Segmenters of strangers: what they may not do, and the sentence that says so."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable
from inspect import isclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from spoiling import changed
from torch import Tensor

from samr1.core.errors import UserError
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.segmenter import Segmenter
from samr1.segmenter.build import build_sam2, read_config
from samr1.segmenter.files import PUBLISHED, published_config
from samr1.segmenter.schema import Part, Sam2Part


class Attack:
    """Writes a file when it is unpickled by a reader that runs what it is told."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


TORCH_LOAD = "sam2.modeling.sam2_base.torch.load"
ATTENTION = "memory_attention.layer.self_attention"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        # Code by another name, at every depth, as a call, partly called, and beside what is asked.
        ("_target_", TORCH_LOAD, r"_target_ = .*load\": must be sam2\.modeling\.sam2_base\.SAM2B"),
        ("image_encoder", {"_target_": TORCH_LOAD, "f": "FILE"}, r"image_encoder\._target_ = .*"),
        ("image_encoder.trunk._target_", "sam2.modeling.sam2_base.torch.hub.load", "trunk"),
        ("image_encoder.trunk._target_", "sam2.modeling.backbones.hieradet.g_pathmgr.open", "Hie"),
        ("image_encoder.trunk._target_", "os.system", r"must be .*\.Hiera"),
        # The right class at the wrong place, under another module's name, or below itself.
        ("image_encoder.trunk._target_", "sam2.modeling.sam2_base.MaskDecoder", "must be"),
        ("image_encoder.neck._target_", "sam2.modeling.sam2_base.SAM2Base", r"must be .*FpnNeck"),
        (f"{ATTENTION}._target_", "sam2.modeling.memory_attention.RoPEAttention", "must be"),
        ("image_encoder.trunk", SEGMENTER_CONFIG, r"image_encoder\.trunk\."),
        # What hydra would have taken for orders.
        ("image_encoder.trunk._partial_", True, "_partial_: unknown key"),
        ("image_encoder.trunk._args_", [1], "_args_: unknown key"),
        ("_call_", "os.system", "_call_: unknown key"),
        ("_recursive_", False, "_recursive_: unknown key"),
        ("_convert_", "none", "_convert_: unknown key"),
        ("memory_encoder.fuser.layer.dim", "${oc.env:HOME}", r"layer\.dim = \"\$\{oc\.env:HOME\}"),
        ("image_encoder.neck.fpn_interp_model", "${oc.env:HOME}", "fpn_interp_model = "),
        # Arguments of SAM 2 that read a file or start a compiler; where Meta has none, a call.
        ("image_encoder.trunk.weights_path", "FILE", "weights_path: unknown key"),
        ("compile_image_encoder", True, "compile_image_encoder = true: must be False"),
        ("sam_mask_decoder_extra_args", {"activation": {"_target_": TORCH_LOAD}}, "unknown key"),
        ("memory_encoder.mask_downsampler.activation", {"_target_": "os.abort"}, "unknown key"),
        ("image_encoder.trunk.stages", [{"_target_": TORCH_LOAD}, 1, 1, 1], r"stages\.0 = "),
        # Values of another kind.
        ("no_such_argument", 1, "no_such_argument: unknown key"),
        ("image_encoder", None, "image_encoder = null"),
        ("image_encoder.trunk.embed_dim", "16", "embed_dim = "),
        ("image_encoder.trunk.embed_dim", True, "embed_dim = true"),
        ("image_encoder.trunk.num_heads", 0, "num_heads = 0"),
        ("image_encoder.trunk.stages", [1, 2, 3], "stages = "),
        ("memory_attention.layer.dropout", float("nan"), "dropout = NaN"),
        ("memory_attention.layer.activation", "eval", "must be 'relu', 'gelu' or 'glu'"),
        ("image_size", 100, "image_size = 100"),
        # Numbers that mean more memory or time than any SAM 2 takes.
        ("image_encoder.trunk.embed_dim", 10**9, "embed_dim = 1000000000"),
        ("image_encoder.trunk.stages", [10**6, 1, 1, 1], "stages.0 = 1000000"),
        ("memory_attention.num_layers", 10**6, "num_layers = 1000000"),
        (f"{ATTENTION}.feat_sizes", [10**6, 10**6], "feat_sizes.0 = "),
        (f"{ATTENTION}.embedding_dim", 4096, "must be 64, by the sizes of the other parts"),
        (f"{ATTENTION}.feat_sizes", [256, 256], r"must be \[8, 8\], by the sizes"),
        ("image_encoder.neck.position_encoding.num_pos_feats", 4096, "must be 64, by the"),
        ("image_size", 160_000, "image_size = 160000"),
        # Values that only do not fit together, in what no weight tells of as well.
        ("image_encoder.scalp", 0, "scalp = 0: must be 1"),
        ("image_encoder.trunk.num_heads", 3, "num_heads = 3: must be a divisor of 16"),
        ("image_encoder.trunk.window_spec", [8, 7, 8, 4], "window_spec = .*: must be even but"),
        ("image_encoder.trunk.window_spec", [6, 4, 8, 4], "the first a divisor of 32"),
        ("image_encoder.trunk.global_att_blocks", [3], "without the first of a stage"),
        ("image_encoder.neck.backbone_channel_list", [16, 32, 64, 128], "no SAM 2 can be built"),
        ("fixed_no_obj_ptr", True, r"no SAM 2 can be built of it \(AssertionError\)"),
        ("memory_encoder.mask_downsampler.stride", 1, "no SAM 2 can be built of it .*division"),
    ],
)
def test_a_segmenters_configuration_names_nothing_else(
    path: str, value: Any, sentence: str, tmp_path: Path
) -> None:
    payload, proof = tmp_path / "payload", tmp_path / "was_run"
    torch.save(Attack(proof), payload)
    content = yaml.safe_dump(changed(SEGMENTER_CONFIG, path, value))
    (tmp_path / "config.yaml").write_text(content.replace("FILE", str(payload)))
    with pytest.raises(UserError, match=rf"^.*config\.yaml: .*{sentence}[^\n]*\.$"):
        build_sam2(read_config(tmp_path / "config.yaml"), str(tmp_path / "config.yaml"))
    assert not proof.exists()
    torch.load(payload, weights_only=False)  # the attack itself works
    assert proof.exists()


def named(node: dict[str, Any]) -> set[str]:
    """The classes and arguments of a `_target_` tree, `class.argument`."""
    found = {f"{node['_target_']}.{key}" for key in node if key != "_target_"}
    parts = [value for value in node.values() if isinstance(value, dict)]
    return found.union(*map(named, parts))


def allowed(cls: type[Part]) -> set[str]:
    name = f"{cls.builds.__module__}.{cls.builds.__qualname__}"
    fields = {key: field for key, field in cls.model_fields.items() if key != "target"}
    parts = [field.annotation for field in fields.values()]
    below = [allowed(part) for part in parts if isclass(part) and issubclass(part, Part)]
    return {f"{name}.{key}" for key in fields}.union(*below)


def test_what_a_segmenter_may_name_is_what_metas_files_and_ours_name() -> None:
    published = [named(read_config(published_config(name))) for name in PUBLISHED]
    assert allowed(Sam2Part) == named(SEGMENTER_CONFIG).union(*published)


BOMB = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a" * 300_000, "has more than 200,000 bytes"),
        ("a: " + "[" * 30_000, "too deep in one another"),
        ("a: " + "{b: " * 15_000, "too deep in one another"),
        ("".join(" " * i + "a:\n" for i in range(300)), "must be a mapping with a _target_"),
        ("_target_: &a\n  b: *a\n", "line 1 holds itself by an alias"),
        ("a0: &a0 [1]\n" + BOMB, "holds more than 20,000 values"),
        ("_target_: !!python/object/apply:os.system [true]", "has the tag"),
        ("_target_: !!python/name:os.system", "has the tag"),
        ("_target_: a\n_target_: b", "stands twice"),
        ("? [a]\n: 1\n", "a key is a list"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_a_segmenters_yaml_is_short_and_shallow(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"^.*config\.yaml: .*({sentence})[^\n]*\.$"):
        build_sam2(read_config(file), str(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmenter") / "whole"
    folder.mkdir()
    torch.manual_seed(0)
    (folder / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    save_file(build_sam2(SEGMENTER_CONFIG).state_dict(), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weight: weight * math.nan, "in no_mem_embed that are infinite or none"),
        (lambda weight: weight.double() + 1e300, "in no_mem_embed that are infinite or none"),
        (Tensor.long, "holds no_mem_embed as I64, which are no floating-point"),
        (Tensor.bool, "holds no_mem_embed as BOOL, which are no floating-point"),
        (lambda weight: weight[:, :, :1], "the weights do not fit config.yaml: 1 of another"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(
    whole: Path, tmp_path: Path, change: Callable[[Tensor], Tensor], sentence: str
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "segmenter"))
    weights = load_file(folder / "model.safetensors")
    weights["no_mem_embed"] = change(weights["no_mem_embed"] + 1).contiguous()
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UserError, match=rf"^[^\n]*{sentence}[^\n]*\.$"):
        Segmenter.load(folder)


def test_numbers_that_are_no_weights_are_finite_too(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "segmenter"))
    weights = load_file(folder / "model.safetensors")
    weights["sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"][0, 0] = math.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(
        UserError, match=r"gaussian_matrix that are infinite or none; get it again\.$"
    ):
        Segmenter.load(folder)


def pack(file: Path) -> None:
    """Write a file of Meta's form whose weights are packed, and far larger than they are."""
    content = io.BytesIO()
    torch.save({"model": {"a": torch.zeros(1)}}, content)
    with ZipFile(content) as stored, ZipFile(file, "w", ZIP_DEFLATED) as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name) + bytes(10**7 * name.endswith("/data/0")))


def holding(weight: Tensor) -> Callable[[Path], object]:
    return lambda file: torch.save({"model": {"a": weight}}, file)


NO_WEIGHTS = "holds no weights under `model`, floating-point"
OTHERS = "the weights do not fit sam2_hiera_t.yaml: they are 3 numbers"


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (pack, "is packed, which torch's own files are not"),
        (lambda file: file.write_bytes(b""), "cannot be read"),
        (lambda file: file.write_bytes(b"PK\3\4" + bytes(99)), "cannot be read"),
        (lambda file: file.write_bytes(b"\x80\x02r\xff\xff\xff\x7f."), "cannot be read"),
        (lambda file: file.write_bytes(bytes(range(256))), "asks to run code, or is no file"),
        (lambda file: ZipFile(file, "w").writestr("../x", "y"), "cannot be read"),
        (lambda file: file.open("wb").truncate(10**10), "cannot be read"),
        (holding(torch.zeros(3)), OTHERS),
        (holding(torch.zeros(3).long()), NO_WEIGHTS),
        (holding(torch.zeros(3).to_sparse()), NO_WEIGHTS),
        (
            holding(torch.zeros(3, device="meta")),
            NO_WEIGHTS,
        ),
        (
            holding(torch.zeros(1).expand(10**6, 10**6)),
            r"the weights do not fit sam2_hiera_t\.yaml: \d+ missing",
        ),
    ],
)
def test_a_pt_file_holds_weights_and_nothing_else(
    tmp_path: Path, write: Callable[[Path], object], sentence: str
) -> None:
    file = tmp_path / "sam2_hiera_tiny.pt"
    write(file)
    with pytest.raises(UserError, match=rf"^[^\n]*{sentence}[^\n]*\.$"):
        Segmenter.load(file)


def test_sizes_that_lie_are_refused_before_they_are_built(whole: Path, tmp_path: Path) -> None:
    for path, value in (
        ("image_encoder.trunk.embed_dim", 4096),
        ("image_encoder.trunk.stages", [64, 64, 64, 64]),
        ("memory_attention.layer.dim_feedforward", 4096),
    ):
        folder = Path(shutil.copytree(whole, tmp_path / path))
        config = changed(SEGMENTER_CONFIG, path, value)
        config["memory_attention"]["num_layers"] = 16
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(UserError, match=r"config\.yaml: they are 1,308,944 numbers, and its"):
            Segmenter.load(folder)
