"""Our objective against TRL's, as recorded by `record_trl.py` from its own trainer.

TRL minimises and ours is maximised: its loss is minus our objective. Its `epsilon` is our
`clip_low`, `epsilon_high` our `clip_high` and `beta` our `kl_coef`; its `use_bias_correction_kl` is
off: on, as by default, it would multiply the KL term by the ratio, which equations 2 and 4 do not.

- `grpo` is the mean over a response's tokens, then over responses: our normaliser "response", for
  any number of questions of equally large groups; with `importance_sampling_level: sequence` our
  ratio "sequence", GSPO's. `sapo` is our clip "sapo" with the same normaliser.
- `bnpo` divides by the tokens of the batch, and `dapo` by those of the batch that was generated,
  the same here: our "group" where the batch is one group. Ours divides by a group's tokens and
  averages the groups, so over several TRL's is ours weighed by their tokens.
- `dr_grpo` divides by responses times the longest length: our "constant".
- `cispo` is our clip "cispo" with the normaliser "group"; its `epsilon_high` is the bound itself,
  our 1 + `clip_high`, and it has none below, as with our `clip_low` of 1.
- TRL's KL and clip fractions are means over all tokens (over responses, where the ratio is one's):
  our clip fractions, and our `kl` with "group" and one group.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from public_cases import CASES, LONGEST, Case, draw

from samr1.method.objective import policy_objective

RECORD = Path(__file__).parents[1] / "fixtures" / "grpo_trl.json"
CLOSE = {"rtol": 1e-9, "atol": 1e-11}  # recorded to twelve digits


def recorded() -> list[tuple[Case, dict[str, Any]]]:
    pairs = []
    for record in json.loads(RECORD.read_text())["cases"]:
        case = {name: record[name] for name in Case.__dataclass_fields__}
        pairs.append((Case(**case | {"shape": tuple(record["shape"])}), record))
    return pairs


def test_what_is_recorded_is_what_is_drawn() -> None:
    assert [case for case, _ in recorded()] == CASES


def settings_of(case: Case) -> dict[str, Any]:
    """The case in our words."""
    normalisers = {
        "grpo": "response",
        "sapo": "response",
        "bnpo": "group",
        "dapo": "group",
        "cispo": "group",
        "dr_grpo": "constant",
    }
    cispo = case.loss_type == "cispo"
    return {
        "clip_low": 1.0 if cispo else case.epsilon,
        "clip_high": case.epsilon_high - cispo,
        "kl_coef": case.beta,
        "normaliser": normalisers[case.loss_type],
        "ratio": case.level,
        "clip": case.loss_type if case.loss_type in ("cispo", "sapo") else "ppo",
        "longest": LONGEST,
    }


@pytest.mark.parametrize(
    ("case", "record"),
    [
        pytest.param(*pair, id=f"{pair[0].loss_type}-{pair[0].level}-{pair[0].seed}-{number}")
        for number, pair in enumerate(recorded())
    ],
)
def test_the_objective_and_its_gradient_are_trls(case: Case, record: dict[str, Any]) -> None:
    drawn = draw(case)
    new = drawn.new.clone().requires_grad_()
    settings = settings_of(case)
    terms = policy_objective(new, drawn.old, drawn.ref, drawn.advantages, drawn.mask, **settings)
    objective = terms.objective
    if settings["normaliser"] == "group":
        tokens = drawn.mask.sum(dim=(1, 2))
        objective = (terms.per_question * tokens).sum() / tokens.sum()
    (gradient,) = torch.autograd.grad(-objective, new)
    theirs = torch.tensor(record["gradient"], dtype=torch.float64).reshape(case.shape)
    # TRL's temperatures of SAPO are float32.
    close = {"rtol": 1e-6, "atol": 1e-9} if case.loss_type == "sapo" else CLOSE
    torch.testing.assert_close(gradient, theirs, **close)
    assert -objective.item() == pytest.approx(record["loss"], rel=close["rtol"])
    if case.level == "token" and record["clip_fraction_low"] is not None:
        for name in ("clip_fraction_low", "clip_fraction_high"):
            ours = getattr(terms, name).item()
            assert ours == pytest.approx(record[name], rel=1e-6, abs=1e-12)
    if case.beta and settings["normaliser"] == "group" and case.shape[0] == 1:
        assert terms.kl.item() == pytest.approx(record["kl"], rel=1e-6, abs=1e-12)


def test_the_record_reaches_both_bounds() -> None:
    for bound in ("clip_fraction_low", "clip_fraction_high"):
        found = [record[bound] for _, record in recorded() if record[bound] is not None]
        assert sum(one > 0 for one in found) >= 6, bound
