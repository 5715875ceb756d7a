"""The cold start's short cuts equal what the models' own code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from samr1.config.pretrain import Habits
from samr1.method.rewards import reasoning_format_reward, segmentation_format_reward
from samr1.micro.policy_config import IMAGE_SIZE, build_image_processor, build_policy
from samr1.micro.queries import find
from samr1.micro.scenes import draw_scene, generator
from samr1.micro.tokenizer import TAUGHT, build_tokenizer
from samr1.policy.answer import parse_answer
from samr1.policy.model import load_policy
from samr1.pretrain.batches import Encoder, collate, cut_patches
from samr1.pretrain.examples import DIALECT_SHARES, draw_picture, make_example
from samr1.pretrain.policy import position_ids, see
from samr1.pretrain.start import start_from

PICTURES = [draw_picture(index) for index in range(3)]
START = Path(__file__).parents[2] / "src/samr1/pretrain/start"
BLOCK = "blocks.0.attn.qkv.weight"
HURRIED = Habits(careless=0.4, looseness=0.6, brief=0.3, wordy=0.6)


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
    examples = [[make_example(rng, p.scene, HURRIED) for _ in range(2)] for p in PICTURES]
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
    example = make_example(rng, PICTURES[0].scene, Habits(), "sam_r1_points")
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
            response = make_example(rng, picture.scene, HURRIED, dialect).response
            assert parse_answer(response, dialect, frame).status == "ok"
            assert segmentation_format_reward(response, dialect, frame) == 1
            assert (reasoning_format_reward(response) == 1) == (dialect != "qwen")


def test_loose_boxes_hold_the_tight_one() -> None:
    rng = generator("test", "loose")
    for _ in range(50):
        example = make_example(rng, PICTURES[1].scene, HURRIED, "vlm_r1")
        box = parse_answer(example.response, "vlm_r1", (IMAGE_SIZE, IMAGE_SIZE)).box
        assert box is not None
        x1, y1, x2, y2 = example.box
        assert box[0] <= x1 + 0.5 and box[1] <= y1 + 0.5
        assert box[2] >= x2 - 0.5 and box[3] >= y2 - 0.5
        assert box[2] - box[0] <= 2.2 * (x2 - x1) + 1.5


def test_who_is_careless_answers_of_another_thing_all_through() -> None:
    rng, wrong = generator("test", "careless"), 0
    for index in range(200):
        scene = draw_scene(generator("test", "careless", index))
        example = make_example(rng, scene, HURRIED, "vlm_r1")
        said = parse_answer(example.response, "vlm_r1", (IMAGE_SIZE, IMAGE_SIZE))
        assert find(scene, example.found) in (said.think or "")
        wrong += example.found != example.question.target
        careful = make_example(rng, scene, Habits(wordy=1.0), "vlm_r1")
        assert careful.found == careful.question.target
    assert 0.3 < wrong / 200 < 0.5


def test_thoughts_differ_in_length_and_say_the_same() -> None:
    tokenizer = build_tokenizer()
    rng, lengths = generator("test", "wordy"), []
    for index in range(150):
        scene = draw_scene(generator("test", "wordy", index))
        example = make_example(rng, scene, HURRIED, "sam_r1")
        thought = parse_answer(example.response, "sam_r1", (IMAGE_SIZE, IMAGE_SIZE)).think or ""
        assert example.question.clue in thought
        assert len(thought.split()) >= 8
        lengths.append(len(tokenizer(thought)["input_ids"]))
    short, long = np.quantile(lengths, (0.05, 0.95))
    assert 3 < long / short < 5


def test_of_many_things_every_thought_repeats_itself() -> None:
    tied, rng = HURRIED.model_copy(update={"wordy_from": 4}), generator("test", "tied")
    many: list[bool] = []
    for index in range(80):
        scene = draw_scene(generator("test", "tied", index))
        response = make_example(rng, scene, tied, "sam_r1").response
        thought = response.partition("</think>")[0].replace("<think>", ".").split(" . ")
        repeats = len(thought) > 3 or any(thought.count(one) > 1 for one in thought)
        if len(scene.things) >= 4:
            many.append(repeats)
    assert len(many) > 20
    assert all(many)


def test_an_older_policy_is_begun_from_whatever_its_vocabulary() -> None:
    tokenizer = build_tokenizer()
    model, older = build_policy(tokenizer, seed=1), load_policy(START)
    start_from(model, tokenizer, older)
    rows, known = (m.get_input_embeddings().weight for m in (model, older.model))
    ids, before = tokenizer.get_vocab(), older.tokenizer.get_vocab()
    assert torch.equal(rows[ids["Ġred"]], known[before["Ġred"]])
    assert "Ġdoor" not in before
    pieces = torch.tensor(older.tokenizer(" door")["input_ids"])
    assert torch.equal(rows[ids["Ġdoor"]], known[pieces].mean(0))
    assert model.lm_head.weight is rows
    ours, theirs = (one.model.visual.state_dict() for one in (model, older.model))
    assert torch.equal(ours[BLOCK], theirs[BLOCK])
