"""The cold start's short cuts equal what the models' own code does."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from samr1.method.rewards import reasoning_format_reward, segmentation_format_reward
from samr1.micro.policy_config import IMAGE_SIZE, build_image_processor, build_policy
from samr1.micro.scenes import generator
from samr1.micro.tokenizer import TAUGHT, build_tokenizer
from samr1.policy.answer import parse_answer
from samr1.pretrain.batches import Encoder, collate, cut_patches
from samr1.pretrain.examples import DIALECT_SHARES, draw_picture, make_example
from samr1.pretrain.policy import position_ids, see

PICTURES = [draw_picture(index) for index in range(3)]


def test_patches_equal_the_image_processors() -> None:
    encoded = build_image_processor()(
        images=[Image.fromarray(picture.pixels) for picture in PICTURES], return_tensors="pt"
    )
    ours = torch.from_numpy(cut_patches(np.stack([picture.pixels for picture in PICTURES])))
    assert torch.allclose(encoded["pixel_values"], ours, atol=1e-6)


def test_batch_equals_the_models_own_forward() -> None:
    tokenizer = build_tokenizer()
    model = build_policy(tokenizer, seed=1).eval()
    encoder, rng = Encoder(tokenizer), generator("test", "batch")
    examples = [[make_example(rng, p.scene, 0.3) for _ in range(2)] for p in PICTURES]
    batch = collate(encoder, PICTURES, examples)
    is_image = (batch.ids == model.config.image_token_id).int()
    grid = torch.tensor([[1, 12, 12]] * len(batch.ids))
    positions, _ = model.model.get_rope_index(batch.ids, is_image, image_grid_thw=grid)
    ours = position_ids(batch.ids, model.config.image_token_id)
    assert torch.equal(positions, ours.expand_as(positions))
    with torch.no_grad():
        tokens = see(model, batch.patches).view(len(PICTURES), -1, 128)
        whole = batch.patches.view(len(PICTURES), -1, batch.patches.shape[-1])[batch.picture]
        plain = model.model.visual(whole.flatten(0, 1), grid_thw=grid).pooler_output
    assert torch.allclose(plain.view(len(batch.ids), -1, 128), tokens[batch.picture], atol=1e-5)


def test_labels_are_the_response_and_coordinates_are_found() -> None:
    tokenizer = build_tokenizer()
    encoder, rng = Encoder(tokenizer), generator("test", "labels")
    example = make_example(rng, PICTURES[0].scene, 0.0, "sam_r1_points")
    batch = collate(encoder, PICTURES[:1], [[example]])
    wanted = batch.labels[0] >= 0
    assert tokenizer.decode(batch.labels[0][wanted]) == example.response + "<|im_end|>"
    numbers = [int(tokenizer.decode([i])) for i in batch.ids[0][batch.is_coordinate[0]]]
    assert numbers[:4] == [round(value) for value in example.box]
    assert len(numbers) == 4 + 2 * example.response.count("point_2d")


def test_every_dialect_is_practised_well_formed() -> None:
    assert set(DIALECT_SHARES) == set(TAUGHT)
    frame = (IMAGE_SIZE, IMAGE_SIZE)
    rng = generator("test", "dialects")
    for dialect in TAUGHT:
        for picture in PICTURES:
            response = make_example(rng, picture.scene, 0.6, dialect).response
            assert parse_answer(response, dialect, frame).status == "ok"
            assert segmentation_format_reward(response, dialect, frame) == 1
            assert (reasoning_format_reward(response) == 1) == (dialect != "qwen")


def test_loose_boxes_hold_the_tight_one() -> None:
    rng = generator("test", "loose")
    for _ in range(50):
        example = make_example(rng, PICTURES[1].scene, 0.6, "vlm_r1")
        box = parse_answer(example.response, "vlm_r1", (IMAGE_SIZE, IMAGE_SIZE)).box
        assert box is not None
        x1, y1, x2, y2 = example.box
        assert box[0] <= x1 + 0.5 and box[1] <= y1 + 0.5
        assert box[2] >= x2 - 0.5 and box[3] >= y2 - 0.5
        assert box[2] - box[0] <= 2.2 * (x2 - x1) + 1.5
