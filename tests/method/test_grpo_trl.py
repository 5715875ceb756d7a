"""Our objective against TRL's, as recorded by `record_grpo_trl.py` from its own trainer.

TRL minimises and ours is maximised: its loss is minus our objective. Its `epsilon` is our
`clip_low`, `epsilon_high` our `clip_high` and `beta` our `kl_coef`; its `importance_sampling_level`
is `token`, and its `use_bias_correction_kl` off: on, as by default, it would multiply the KL term
by the ratio, which equations 2 and 4 do not.

- `grpo` is the mean over a response's tokens, then over responses: ours with `token_level=False`,
  for any number of questions of equally large groups.
- `bnpo` divides by the tokens of the batch, and `dapo` by those of the batch that was generated,
  the same here: ours with `token_level=True` where the batch is one group. Ours divides by a
  group's tokens and averages the groups, so over several TRL's is ours weighed by their tokens.
- TRL's KL and clip fractions are means over all tokens: our clip fractions, and our `kl` with
  `token_level=True` and one group.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from trl_cases import CASES, Case, draw

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


@pytest.mark.parametrize(
    ("case", "record"),
    [pytest.param(*pair, id=f"{pair[0].loss_type}-{pair[0].seed}") for pair in recorded()],
)
def test_the_objective_and_its_gradient_are_trls(case: Case, record: dict[str, Any]) -> None:
    drawn = draw(case)
    new = drawn.new.clone().requires_grad_()
    terms = policy_objective(
        new,
        drawn.old,
        drawn.ref,
        drawn.advantages,
        drawn.mask,
        clip_low=case.epsilon,
        clip_high=case.epsilon_high,
        kl_coef=case.beta,
        token_level=case.loss_type != "grpo",
    )
    if case.loss_type == "grpo":
        objective = terms.objective
    else:
        tokens = drawn.mask.sum(dim=(1, 2))
        objective = (terms.per_question * tokens).sum() / tokens.sum()
    (gradient,) = torch.autograd.grad(-objective, new)
    theirs = torch.tensor(record["gradient"], dtype=torch.float64).reshape(case.shape)
    torch.testing.assert_close(gradient, theirs, **CLOSE)
    assert -objective.item() == pytest.approx(record["loss"], rel=1e-9)
    assert terms.clip_fraction_low.item() == pytest.approx(
        record["clip_fraction_low"], rel=1e-6, abs=1e-12
    )
    assert terms.clip_fraction_high.item() == pytest.approx(
        record["clip_fraction_high"], rel=1e-6, abs=1e-12
    )
    if case.beta and case.loss_type != "grpo" and case.shape[0] == 1:
        assert terms.kl.item() == pytest.approx(record["kl"], rel=1e-6, abs=1e-12)


def test_the_record_reaches_both_bounds() -> None:
    for bound in ("clip_fraction_low", "clip_fraction_high"):
        assert sum(record[bound] > 0 for _, record in recorded()) >= 6, bound
