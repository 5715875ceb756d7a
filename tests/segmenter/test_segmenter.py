"""The segmenter against SAM 2's own predictor, which takes one image and one prompt at a time."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save_file

from samr1.core.errors import UserError
from samr1.micro.segmenter_config import IMAGE_SIZE, SEGMENTER_CONFIG
from samr1.segmenter import Prompt, Segmenter, mask_iou
from samr1.segmenter.build import build_sam2
from samr1.segmenter.segmenter import EMBEDDED_TOGETHER

PROMPTS = (
    Prompt((10.0, 12.0, 60.0, 50.0), ((30.0, 30.0, 1),)),
    Prompt((0.0, 0.0, 97.0, 61.0), ((5.0, 6.0, 1), (90.0, 3.0, 0))),
    Prompt((40.0, 8.0, 80.0, 44.0)),
    Prompt(None, ((20.0, 40.0, 1), (70.0, 20.0, 0))),
    Prompt((20.0, 20.0, 30.0, 30.0), ((25.0, 25.0, 1),)),
)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(3)
    model = build_sam2(SEGMENTER_CONFIG)
    for parameter in model.parameters():  # some start at zero, which would hide a missing term
        torch.nn.init.normal_(parameter, std=0.2)
    return Segmenter(model)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


class ToTensor(torch.nn.Module):
    def forward(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.transpose(2, 0, 1).copy()).float().div(255)


class Resize(torch.nn.Module):
    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.height, self.width = size

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        size = [self.height, self.width]
        return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]


class Normalize(torch.nn.Module):
    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image - self.mean[:, None, None]) / self.std[:, None, None]


@pytest.fixture
def predictor_class(monkeypatch: pytest.MonkeyPatch) -> Any:
    """SAM 2's own predictor; stand-ins for its torchvision transforms where there are none."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        package, transforms = types.ModuleType("torchvision"), types.ModuleType("transforms")
        for cls in (ToTensor, Resize, Normalize):
            setattr(transforms, cls.__name__, cls)
        package.transforms = transforms  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torchvision", package)
        monkeypatch.setitem(sys.modules, "torchvision.transforms", transforms)
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    yield SAM2ImagePredictor
    for name in ("sam2.sam2_image_predictor", "sam2.utils.transforms"):
        sys.modules.pop(name, None)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_equals_the_predictor_of_sam2(segmenter: Segmenter, predictor_class: Any) -> None:
    predictor = predictor_class(segmenter.model)
    predictor._bb_feat_sizes = [(32, 32), (16, 16), (8, 8)]  # it assumes an input of 1024
    image = picture(61, 97)
    predictor.set_image(image)
    masks, scores = segmenter.predict(segmenter.embed(image), PROMPTS)
    assert 0.02 < masks.float().mean() < 0.98  # masks that are all or nothing would prove little
    for i, prompt in enumerate(PROMPTS):
        theirs, quality, _ = predictor.predict(
            point_coords=np.array([p[:2] for p in prompt.points]) if prompt.points else None,
            point_labels=np.array([p[2] for p in prompt.points]) if prompt.points else None,
            box=np.array(prompt.box) if prompt.box else None,
        )
        best = quality.argmax()
        assert scores[i].item() == pytest.approx(float(quality[best]), rel=1e-5)
        assert (masks[i].numpy() != theirs[best].astype(bool)).mean() < 1e-4


def test_embeds_a_few_at_a_time_with_the_results_of_one_by_one(segmenter: Segmenter) -> None:
    taken = []

    def pictures() -> Iterator[np.ndarray]:
        for seed in range(EMBEDDED_TOGETHER + 2):
            taken.append(seed)
            yield picture(61, 97 + seed, seed)

    for seed, together in enumerate(segmenter.embed_each(pictures())):
        assert len(taken) == (EMBEDDED_TOGETHER + 2 * (seed >= EMBEDDED_TOGETHER))
        alone = segmenter.embed(picture(61, 97 + seed, seed))
        torch.testing.assert_close(together.image, alone.image, rtol=1e-5, atol=1e-5)
        ours, our_scores = segmenter.predict(together, PROMPTS)
        theirs, their_scores = segmenter.predict(alone, PROMPTS)
        assert torch.equal(ours, theirs)
        torch.testing.assert_close(our_scores, their_scores, rtol=1e-5, atol=1e-6)
    assert seed == EMBEDDED_TOGETHER + 1


def test_masks_have_the_original_size_and_no_gradient(segmenter: Segmenter) -> None:
    masks, scores = segmenter.predict(segmenter.embed(picture(33, 70)), PROMPTS[:2])
    assert masks.shape == (2, 33, 70) and masks.dtype == torch.bool
    assert not scores.requires_grad
    assert not any(parameter.requires_grad for parameter in segmenter.model.parameters())
    none, no_scores = segmenter.predict(segmenter.embed(picture(33, 70)), [])
    assert none.shape == (0, 33, 70) and no_scores.shape == (0,)


def test_a_prompt_needs_something() -> None:
    with pytest.raises(ValueError, match="box or a point"):
        Prompt(None)


def test_load_reads_a_folder_and_checks_its_input_size(
    segmenter: Segmenter, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    save_file(segmenter.model.state_dict(), tmp_path / "model.safetensors")
    loaded = Segmenter.load(str(tmp_path), IMAGE_SIZE)
    image = picture(61, 97)
    ours, _ = segmenter.predict(segmenter.embed(image), PROMPTS)
    theirs, _ = loaded.predict(loaded.embed(image), PROMPTS)
    assert torch.equal(ours, theirs)
    with pytest.raises(UserError, match=r"set segmenter\.image_size to 128"):
        Segmenter.load(tmp_path, 1024)


def test_mask_iou_by_hand() -> None:
    truth = torch.tensor([[1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    masks = torch.tensor(
        [[[1, 1, 0], [0, 0, 0]], [[1, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]], dtype=torch.bool
    )
    torch.testing.assert_close(mask_iou(masks, truth), torch.tensor([1.0, 0.25, 0.0]).double())
    empty = torch.zeros_like(truth)
    assert mask_iou(empty[None], empty).item() == 0


def test_mask_iou_does_not_round_across_a_threshold() -> None:
    truth = torch.ones(1, 5, dtype=torch.bool)
    four = torch.tensor([[[1, 1, 1, 1, 0]]], dtype=torch.bool)
    assert mask_iou(four, truth).item() == 0.8
