"""Teach the tiny policy the drawn world: to answer well, then as hurried annotators do.

Finished stages are kept in the work folder; a run that was interrupted goes on after them.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from samr1.cli.parser import Parser
from samr1.config.pretrain import PolicyRecipe, PretrainConfig
from samr1.config.schema import load_stage
from samr1.core.errors import UserError, run_command
from samr1.micro.policy_config import build_image_processor, build_policy
from samr1.micro.tokenizer import build_tokenizer
from samr1.policy.model import assemble_policy, load_policy, save_policy
from samr1.pretrain.policy import pretrain_policy
from samr1.pretrain.start import start_from


def main() -> None:
    """Parse, train, write."""
    parser = Parser(prog="python -m samr1.cli.pretrain_policy", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config/pretrain.yaml")
    parser.add_argument("--work", type=Path, required=True, help="folder for finished stages")
    parser.add_argument("--log", type=Path, required=True, help="log (JSON lines) to append to")
    parser.add_argument("--until", help="stop after this stage, such as speak for tight boxes")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="policy folder to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = load_stage(arguments.config, PretrainConfig).policy
    if arguments.until is not None:
        recipe = _stop_after(recipe, arguments.until)
    tokenizer = build_tokenizer()
    model = build_policy(tokenizer, recipe.seed)
    start_from(model, tokenizer, load_policy(recipe.start))
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    with arguments.log.open("a") as log:
        pretrain_policy(
            model,
            tokenizer,
            recipe,
            folder=arguments.work,
            record=lambda row: print(json.dumps(row), file=log, flush=True),
        )
    policy = assemble_policy(model.eval(), tokenizer, build_image_processor())
    save_policy(policy, arguments.output, maker="pretrain_policy")


def _stop_after(recipe: PolicyRecipe, name: str) -> PolicyRecipe:
    names = [stage.name for stage in recipe.stages]
    if name not in names:
        raise UserError(f"--until {name}: no such stage; the recipe's are {', '.join(names)}.")
    return recipe.model_copy(update={"stages": recipe.stages[: names.index(name) + 1]})


if __name__ == "__main__":
    run_command(main)
