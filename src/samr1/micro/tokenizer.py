"""The tiny policy's tokenizer: byte-level BPE over the micro world's language.

Any text can be encoded. The constant parts of prompts and answers are single tokens, so that a
verbatim template of a hundred words costs a handful; so is each number from 0 to 99.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from samr1.config.names import DialectName
from samr1.micro.queries import ASK, think
from samr1.micro.scenes import draw_scene, generator
from samr1.policy.dialects import SYSTEM_PROMPT, get_dialect
from samr1.policy.processors import MICRO_WORDS

IMAGE_TOKEN = "<|image_pad|>"
STOP_TOKEN = "<|im_end|>"
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    STOP_TOKEN,
    "<|vision_start|>",
    "<|vision_end|>",
    IMAGE_TOKEN,
    "<|video_pad|>",
)
_BPE_MERGED_SIZE = 720

# The dialects that the tiny policy is taught; any other it reads too, in many tokens.
TAUGHT: tuple[DialectName, ...] = (
    "sam_r1",
    "sam_r1_points",
    "seg_zero",
    "vision_reasoner",
    "vlm_r1",
    "qwen",
)

# The constant parts of well-formed answers in these.
_ANSWER_PARTS = (
    "<think> ",
    " </think><answer>",
    "</answer>",
    '{"bbox_2d": [',
    '], "point_2d": [',
    '], "label": "',
    '"}</answer>',
    '], "points": [{"point_2d": [',
    '], "value": ',
    '}, {"point_2d": [',
    '}], "label": "',
    '{"bbox": [',
    '], "points_1": [',
    '], "points_2": [',
    "]}</answer>",
    '[{"bbox_2d": [',
    "]}]</answer>",
    '```json\n[\n\t{"bbox_2d": [',
    '"}\n]\n```',
    ", ",
)

# Qwen2.5-VL's chat form for text and images.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _constant_parts() -> list[str]:
    parts = [f"system\n{SYSTEM_PROMPT}", "user\n", "assistant\n", "\n"]
    for dialect in TAUGHT:
        parts += get_dialect(dialect).template.format(query="\0").split("\0")
    parts += _ANSWER_PARTS
    parts += [str(number) for number in range(100)]
    return list(dict.fromkeys(part for part in parts if part))


def _corpus(scenes: int) -> Iterator[str]:
    for index in range(scenes):
        rng = generator("pretrain", "tokenizer", index)
        scene = draw_scene(rng)
        for target in range(len(scene.things)):
            for ask in ASK.values():
                question = ask(rng, scene, target)
                if question is not None:
                    yield question.text
                    yield question.text.lower()
                    yield think(scene, question)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, trained on the micro world's questions and thoughts; always the same."""
    core = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(MICRO_WORDS), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_BPE_MERGED_SIZE,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
    )
    core.train_from_iterator(_corpus(600), trainer)
    core.add_tokens([AddedToken(part, normalized=False) for part in _constant_parts()])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=STOP_TOKEN,
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
