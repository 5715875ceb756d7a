"""Loading, encoding and saving a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from plain_twins import generate_greedily
from tiny import CHAT_TEMPLATE, random_image, tiny_policy, tiny_tokenizer

from samr1.config.names import DIALECTS, DialectName
from samr1.core.errors import UserError
from samr1.core.weights import safetensors_files, safetensors_shapes
from samr1.micro.tokenizer import CHAT_TEMPLATE as MICRO_TEMPLATE
from samr1.policy.dialects import get_dialect
from samr1.policy.families import FAMILIES
from samr1.policy.model import encode_prompt, encode_question, load_policy, save_policy
from samr1.rollout.sample import sample_groups


def test_a_question_has_one_token_a_merged_patch_in_the_models_own_positions() -> None:
    policy = tiny_policy()
    question = encode_question(policy, random_image(0, 84), "the red ball", "sam_r1")
    assert question.grid_thw.tolist() == [[1, 12, 12]]
    assert question.pixel_values.shape == (144, 3 * 2 * 7 * 7)
    is_image = question.input_ids == policy.model.config.image_token_id
    assert int(is_image.sum()) == 36
    start = int(is_image.nonzero()[0])
    # Time stands still over a picture; height and width run over its 6×6 merged patches.
    assert question.position_ids[:, is_image].amax(dim=1).tolist() == [start, start + 5, start + 5]
    assert question.response_start == len(question.input_ids) - 36 + 6
    assert "the red ball" in policy.tokenizer.decode(question.input_ids)


# In the forms of Qwen2.5-VL's own: counters, a first turn that may be missing, keys and types.
ELABORATE = (
    "{% set seen = namespace(images=0) %}{%- for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nHello.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part %}{% set seen.images = seen.images + 1 %}"
    "{% if add_vision_id %}Picture {{ seen.images }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}"
    "{% endfor %}\n    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% generation %}{{ eos_token }}{% endgeneration %}"
    "{% if tools %}{{ tools | tojson }}{% endif %}"
)


# In the forms of Qwen3-VL's own: the first turn looked at by its number, tools before all, and no
# system prompt that nobody gave.
NEWER = (
    "{%- if tools %}{{- raise_exception('no tools') }}{%- else %}"
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' }}"
    "{%- if messages[0].content is string %}{{- messages[0].content }}{%- endif %}"
    "{{- '<|im_end|>\\n' }}{%- endif %}{%- endif %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}"
    "{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- for part in message.content %}{%- if part.type == 'image' or 'image_url' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>{%- elif 'text' in part %}{{- part.text }}"
    "{%- endif %}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, MICRO_TEMPLATE, ELABORATE, NEWER])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_prompt_is_what_the_library_makes_of_the_template(
    template: str, dialect: DialectName
) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    for query in ("the red ball", '{{ 7 * 7 }} "it\'s"\n {% é 球 ', "<|im_end|>"):
        system = get_dialect(dialect).system
        messages: list[dict[str, Any]] = [
            *([] if system is None else [{"role": "system", "content": system}]),
            {
                "role": "user",
                "content": [
                    {"type": "image"},
                    {"type": "text", "text": get_dialect(dialect).ask(query)},
                ],
            },
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert encode_prompt(tokenizer, query, dialect) == expected


def test_a_question_that_smuggles_in_an_image_token_is_refused() -> None:
    with pytest.raises(UserError, match="17 image tokens and its image 16"):
        encode_question(tiny_policy(), random_image(0), "a <|image_pad|> ball", "sam_r1")


def test_an_image_that_does_not_fit_the_patches_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 14"):
        encode_question(tiny_policy(), random_image(0, 60), "ball", "sam_r1")


def test_a_saved_policy_loads_again_and_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    policy = tiny_policy()
    save_policy(policy, tmp_path / "start")
    loaded = load_policy(str(tmp_path / "start"))
    save_policy(loaded, tmp_path / "a")
    save_policy(load_policy(str(tmp_path / "a")), tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    ours = encode_question(policy, random_image(1), "ball", "sam_r1")
    theirs = encode_question(loaded, random_image(1), "ball", "sam_r1")
    assert torch.equal(ours.input_ids, theirs.input_ids)
    assert torch.equal(ours.pixel_values, theirs.pixel_values)
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name]), name
    assert loaded.blocked_token_ids == policy.blocked_token_ids


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_as_the_library_lets_it_answer(
    family: str, tied: bool, tmp_path: Path
) -> None:
    save_policy(tiny_policy(family=family, tied=tied), tmp_path)
    policy = load_policy(tmp_path)
    assert isinstance(policy.model, FAMILIES[family].model)
    head = policy.model.lm_head.weight
    assert (head is policy.model.get_input_embeddings().weight) == tied
    assert ("lm_head.weight" in safetensors_shapes(safetensors_files(tmp_path))) != tied
    questions = [
        encode_question(policy, random_image(seed), query, FAMILIES[family].dialect)
        for seed, query in enumerate(("cup", "the left ball"))
    ]
    groups = sample_groups(policy, questions, group_size=1, temperature=0.0, max_new_tokens=12)
    policy.model.set_attn_implementation("eager")
    for question, group in zip(questions, groups, strict=True):
        assert group.responses[0] == generate_greedily(policy, question, 12)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        load_policy(str(tmp_path))
