"""GRPO steps of TRL's trainer, one for every line of standard input; `measure_step` starts it, in
TRL's environment.

The trainer is used as its documentation says: a configuration, a data set of conversations with an
image each, a reward function. What differs from its defaults is what both sides must share.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any, TextIO

from datasets import Dataset
from model import DIALECT, QUERY, noise_image, trivial_reward
from setting import Setting, make_step_parser, memory, use_threads
from transformers import AutoTokenizer, Qwen2_5_VLProcessor, TrainerCallback
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.processing_utils import ProcessorMixin
from trl import GRPOConfig, GRPOTrainer
from worker import answer, open_answers

from samr1.policy.dialects import SYSTEM_PROMPT, get_dialect

_IMAGES = 8


class ImageProcessor(Qwen2_5_VLProcessor):
    """The model's processor without its video part, which needs torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
    ) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @property
    def model_input_names(self) -> list[str]:
        return [*ProcessorMixin.model_input_names.fget(self), "mm_token_type_ids"]


class Turns(TrainerCallback):
    """Holds the trainer until a line comes, and answers with the seconds that the step took.

    A step is `updates` optimiser steps on one rollout, generation included; fetching the next rows
    of the data set is not.
    """

    def __init__(self, answers: TextIO, hello: dict[str, Any], updates: int) -> None:
        self.answers, self.hello, self.updates = answers, hello, updates
        self.begin = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        answer(self.answers, self.hello | {"models": memory("VmRSS")})
        sys.stdin.readline()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.updates == 0:
            self.begin = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.updates:
            return
        seconds = {"total": time.perf_counter() - self.begin}
        answer(self.answers, {"seconds": seconds, "peak": memory("VmHWM")})
        if not sys.stdin.readline():
            control.should_training_stop = True


def configure(setting: Setting, updates: int, folder: str) -> GRPOConfig:
    return GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=setting.group_size,
        gradient_accumulation_steps=1,
        num_generations=setting.group_size,
        num_iterations=updates,
        max_completion_length=setting.response_tokens,
        generation_kwargs={"min_new_tokens": setting.response_tokens},
        temperature=1.0,
        beta=0.005,
        use_bias_correction_kl=False,
        loss_type="dapo",
        epsilon=0.2,
        epsilon_high=0.3,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=False,
        activation_checkpointing=False,
        model_init_kwargs={"dtype": "float32", "attn_implementation": "sdpa"},
        use_cpu=True,
        max_steps=10**6,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def make_rows(setting: Setting) -> Dataset:
    messages = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": get_dialect(DIALECT).ask(QUERY)},
    ]
    images = [noise_image(index, setting.image_size) for index in range(_IMAGES)]
    return Dataset.from_dict({"prompt": [messages] * _IMAGES, "image": images})


def main() -> None:
    arguments = make_step_parser(__doc__).parse_args()
    answers = open_answers()
    setting = Setting.of(arguments)
    use_threads(setting.threads)
    imports = memory("VmRSS")

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        if any(len(ids) != setting.response_tokens for ids in completion_ids):
            raise RuntimeError("a response is not of the length that the bench fixes")
        return [trivial_reward(ids) for ids in completion_ids]

    processor = ImageProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(arguments.model),
        AutoTokenizer.from_pretrained(arguments.model),
    )
    processor.chat_template = processor.tokenizer.chat_template
    with tempfile.TemporaryDirectory() as folder:
        config = configure(setting, arguments.updates, folder)
        trainer = GRPOTrainer(
            model=str(arguments.model),
            reward_funcs=reward,
            args=config,
            train_dataset=make_rows(setting),
            processing_class=processor,
        )
        hello = {
            "imports": imports,
            "prompt_tokens": count_prompt_tokens(trainer, setting),
            "configuration": config.to_dict() | {"output_dir": "", "logging_dir": ""},
        }
        trainer.add_callback(Turns(answers, hello, arguments.updates))
        trainer.train()


def count_prompt_tokens(trainer: GRPOTrainer, setting: Setting) -> int:
    """The tokens of the prompt as the trainer sees it, the image's included."""
    row = trainer.train_dataset[0]
    parts = [{"type": "image", "image": row["image"]}]
    system, user = row["prompt"]
    parts.append({"type": "text", "text": user["content"]})
    system_parts = [{"type": "text", "text": system["content"]}]
    prompt = [{"role": "system", "content": system_parts}, {"role": "user", "content": parts}]
    return len(trainer._tokenize_prompts([prompt])[0][0])


if __name__ == "__main__":
    main()
