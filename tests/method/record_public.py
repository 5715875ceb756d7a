"""Record what verl and Dr. Seg compute from drawn numbers, out of checkouts of their code.

Run once; torch and numpy are all that it needs:

    python tests/method/record_public.py --verl CHECKOUT --dr-seg CHECKOUT

Of verl (`verl/trainer/ppo/core_algos.py`) the functions themselves are run, without the package
around them; of Dr. Seg (`drr_module/serve.py`) its core, without the server.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from public_cases import VERL_CASES, draw, draw_ious, draw_rewards, rounded

RECORD = Path(__file__).parents[1] / "fixtures" / "grpo_public.json"
WANTED = {
    *("agg_loss", "compute_grpo_outcome_advantage"),
    *("compute_policy_loss_gspo", "compute_policy_loss_sapo", "compute_policy_loss_cispo"),
}


def functions_of(file: Path, wanted: set[str], names: dict[str, Any]) -> dict[str, Any]:
    """The functions `wanted` of a file, run with `names` in the place of all that it imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [node for node in tree.body if getattr(node, "name", "") in wanted]
    for node in found:
        node.decorator_list = []
    code = "from __future__ import annotations\n" + "\n".join(map(ast.unparse, found))
    exec(compile(code, str(file), "exec"), names)
    return {name: names[name] for name in wanted}


def verl_of(folder: Path) -> SimpleNamespace:
    masked = functions_of(
        folder / "verl/utils/torch_functional.py", {"masked_sum", "masked_mean"}, {"torch": torch}
    )
    names = {
        "torch": torch,
        "np": np,
        "defaultdict": defaultdict,
        "verl_F": SimpleNamespace(**masked),
        "ActorConfig": SimpleNamespace,
    }
    file = folder / "verl/trainer/ppo/core_algos.py"
    return SimpleNamespace(**functions_of(file, WANTED, names))


def record_losses(verl: SimpleNamespace) -> list[dict[str, Any]]:
    """Loss and gradient [Q, G, T] of verl's policy losses; one group where tokens are averaged."""
    records = []
    for case in VERL_CASES:
        drawn = draw(case)
        new = drawn.new.flatten(0, 1).requires_grad_()
        config = SimpleNamespace(
            clip_ratio=case.epsilon,
            clip_ratio_low=case.epsilon,
            clip_ratio_high=case.epsilon_high,
            tau_pos=1.0,
            tau_neg=1.05,
            global_batch_info={},
        )
        loss, _ = getattr(verl, f"compute_policy_loss_{case.loss_type}")(
            drawn.old.flatten(0, 1),
            new,
            drawn.advantages.flatten()[:, None].expand_as(new),
            drawn.mask.flatten(0, 1).to(new.dtype),
            config=config,
        )
        (gradient,) = torch.autograd.grad(loss, new)
        found = rounded(gradient.flatten().tolist())
        records.append({"loss": rounded(loss.item()), "gradient": found})
    return records


def record_advantages(verl: SimpleNamespace) -> dict[str, list[float]]:
    """verl's advantages of `draw_rewards`, divided by the deviation or not."""
    rewards = draw_rewards()
    questions, group = rewards.shape
    found = {}
    for name, divided in (("group", True), ("group_mean", False)):
        advantages, _ = verl.compute_grpo_outcome_advantage(
            rewards.flatten()[:, None].clone(),
            torch.ones(questions * group, 1),
            np.repeat(np.arange(questions), group),
            norm_adv_by_std_in_grpo=divided,
        )
        found[name] = rounded(advantages.flatten().tolist())
    return found


def record_ranks(folder: Path) -> list[str]:
    """Dr. Seg's rewards of `draw_ious`, a text a step: of each response its tenths, 10 as A."""
    os.environ["QUANTILE_LOG_FILE"] = str(Path(tempfile.gettempdir()) / "quantile.log")
    spec = importlib.util.spec_from_file_location("serve", folder / "drr_module/serve.py")
    serve = sys.modules["serve"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    core, lines = serve.QuantileCore(), []
    for step in draw_ious():
        ranks = [core.query_quantile((iou, 0.0, 0.0))[0] for iou in step]
        lines.append("".join("0123456789A"[round(10 * rank)] for rank in ranks))
        core.enqueue_batch([(iou, 0.0, 0.0) for iou in step])
        core.flush()
    return lines


def commit_of(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--verl", type=Path, required=True)
    parser.add_argument("--dr-seg", type=Path, required=True)
    arguments = parser.parse_args()
    verl = verl_of(arguments.verl)
    found = {
        "verl": commit_of(arguments.verl),
        "dr_seg": commit_of(arguments.dr_seg),
        "advantages": record_advantages(verl),
        "losses": record_losses(verl),
        "ranks": record_ranks(arguments.dr_seg),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
    RECORD.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
