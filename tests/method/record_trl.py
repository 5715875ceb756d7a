"""Record what TRL's GRPOTrainer computes from the tensors of `public_cases.py`.

Run once, in the environment that `envs/install_trl.sh` makes:

    .venv-trl/bin/python tests/method/record_trl.py

The trainer is a real one and its `_compute_loss` untouched; only the method that would ask a model
for log-probabilities gives the drawn ones instead. In evaluation mode, so that no gradient
accumulation divides the loss.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import trl
from datasets import Dataset
from public_cases import CASES, LONGEST, Case, draw, rounded
from tiny import tiny_tokenizer
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

RECORD = Path(__file__).parents[1] / "fixtures" / "grpo_trl.json"


def make_trainer(case: Case, folder: str) -> GRPOTrainer:
    """A trainer with the case's settings, over a model that is never asked."""
    tokenizer = tiny_tokenizer()
    Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
        )
    ).save_pretrained(folder)  # the trainer loads its reference model from there too
    args = GRPOConfig(
        output_dir=folder,
        loss_type=case.loss_type,
        epsilon=case.epsilon,
        epsilon_high=case.epsilon_high,
        beta=case.beta,
        max_completion_length=LONGEST,
        importance_sampling_level=case.level,
        # On by default, it weighs the KL term by the ratio; the paper's equations do not.
        use_bias_correction_kl=False,
        per_device_train_batch_size=2,
        num_generations=2,
        bf16=False,
        use_cpu=True,
        report_to=[],
    )
    return GRPOTrainer(
        model=folder,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=args,
        train_dataset=Dataset.from_dict({"prompt": ["x"] * 2}),
        processing_class=tokenizer,
    )


def record(case: Case, folder: str) -> dict[str, Any]:
    """The loss, its gradient with respect to `new` [Q, G, T], and what TRL logs beside it."""
    drawn = draw(case)
    new = drawn.new.flatten(0, 1).requires_grad_()
    trainer = make_trainer(case, folder)
    trainer.model.eval()
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (new, torch.zeros_like(new), None)
    mask = drawn.mask.flatten(0, 1).to(new.dtype)
    ids = torch.zeros_like(mask, dtype=torch.int64)
    loss = trainer._compute_loss(
        trainer.model,
        {
            "prompt_ids": ids[:, :1],
            "prompt_mask": ids[:, :1] + 1,
            "completion_ids": ids,
            "completion_mask": mask,
            "advantages": drawn.advantages.flatten(),
            "old_per_token_logps": drawn.old.flatten(0, 1),
            "ref_per_token_logps": drawn.ref.flatten(0, 1),
            "num_items_in_batch": mask.sum(),
        },
    )
    (gradient,) = torch.autograd.grad(loss, new)
    metrics = trainer._metrics["eval"]
    return {
        **asdict(case),
        "loss": rounded(loss.item()),
        "kl": rounded(metrics["kl"][0]) if case.beta else None,
        # CISPO and SAPO have other ones, or none.
        "clip_fraction_low": _logged(metrics, "clip_ratio/low_mean"),
        "clip_fraction_high": _logged(metrics, "clip_ratio/high_mean"),
        "gradient": rounded(gradient.flatten().tolist()),
    }


def _logged(metrics: dict[str, list[float]], name: str) -> float | None:
    return rounded(metrics[name][0]) if name in metrics else None


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = [record(case, folder) for case in CASES]
    lines = ",\n".join(json.dumps(one) for one in records)
    RECORD.write_text(f'{{"trl": "{trl.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
