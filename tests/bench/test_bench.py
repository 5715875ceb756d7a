"""The bench at toy size: its scripts run, and what they compare agrees. TRL takes no part here."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import collect
import measure_evaluation
import measure_reward
import measure_update
import pyarrow.parquet as pq
import pytest
import torch
from commands import call
from model import DIALECT, PATCH, QUERY, noise_image, save_model
from ours import PHASES, load_endless
from processes import fork
from record import Measurement, Record, alternate
from setting import ROOT, Setting
from snakemake_calls import snakemake
from torch.utils.flop_counter import FlopCounterMode
from worker import Worker

from samr1.planning.work import text_forward, vision_forward
from samr1.policy.model import encode_question
from samr1.rollout.logprobs import response_logprobs

BENCH = Path(__file__).parent
TOY = Setting(
    image_size=56,
    group_size=2,
    response_tokens=4,
    layers=1,
    hidden=64,
    vision_layers=1,
    vision_hidden=32,
    repeats=1,
    threads=1,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "model"
    save_model(TOY, folder)
    return folder


def step_record(updates: int) -> Record:
    """As `measure_step` writes it."""
    figure = Measurement(f"one GRPO step, {updates}", [2.0, 4.0, 3.0], "s", [9.0, 6.0], "TRL", 4.0)
    return Record(f"step_{updates}", [figure], {"prompt_tokens": 25}, "here", "2020-01-01")


def test_sides_take_turns_and_change_their_order() -> None:
    called: list[str] = []
    results = alternate([lambda: called.append("a"), lambda: called.append("b")], 3)
    assert "".join(called) == "abbaabba"
    assert [len(one) for one in results] == [3, 3]


def test_a_worker_takes_steps_of_the_fixed_length_when_told(model: Path) -> None:
    command = [sys.executable, str(BENCH / "step_ours.py"), "--model", str(model)]
    with Worker([*command, *TOY.options(), "--updates", "2"], 1) as worker:
        assert worker.hello["configuration"]["train"]["updates_per_rollout"] == 2
        assert 0 < worker.hello["imports"] < worker.hello["models"]
        for _ in range(2):
            step = worker.step()
            assert set(step["seconds"]) == {*PHASES, "total"}
            assert step["peak"] > worker.hello["imports"]


def test_everything_ends_up_on_one_page(tmp_path: Path) -> None:
    records = [
        step_record(1),
        measure_update.measure(TOY),
        measure_reward.measure(TOY, "micro"),
        measure_evaluation.measure(images=1, repeats=1, threads=1),
        step_record(2),
    ]
    paths = [tmp_path / f"{record.name}.json" for record in records]
    for record, path in zip(records, paths, strict=True):
        record.write(path)
        assert Record.read(path) == record
    table, page = tmp_path / "engine.parquet", tmp_path / "engine.md"
    call(collect.main, records=paths, table=table, page=page)
    rows = pq.read_table(table).to_pylist()
    assert len(rows) == sum(len(record.figures) for record in records)
    assert rows[0] == {
        "figure": "one GRPO step, 1",
        "ours": 3.0,
        "theirs": 7.5,
        "unit": "s",
        "ratio": 2.5,
        "bar": 4.0,
        "against": "TRL",
        "machine": "here",
        "date": "2020-01-01",
    }
    assert re.search(r"\| +no \|", page.read_text())  # the bar was not reached


def test_more_is_better_for_rates() -> None:
    assert Measurement("", [6.0], "samples/s", [2.0]).ratio == 3.0
    assert Measurement("", [6.0], "s", [2.0]).ratio == pytest.approx(1 / 3)
    assert Measurement("", [6.0], "s").ratio is None


def test_a_plan_counts_the_products_that_torch_counts(model: Path) -> None:
    policy = load_endless(model)
    question = encode_question(policy, noise_image(0, TOY.image_size), QUERY, DIALECT)
    group = [[20] * TOY.response_tokens] * TOY.group_size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        response_logprobs(policy.model, [question], [group], temperature=1.0, blocked_token_ids=())
    config, prompt = policy.model.config, len(question.input_ids)
    patches = (TOY.image_size // PATCH) ** 2
    counted = vision_forward(config, patches)
    counted += text_forward(config, prompt, TOY.group_size, TOY.response_tokens)
    # Attention, little at this size, is counted over all pairs there and over the seen ones here.
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.1)


def test_the_rules_find_what_their_scripts_import() -> None:
    plan = snakemake("bench", "--dry-run", "--printshellcmds", "--forceall")
    assert plan.code == 0, plan.text
    command = r"(?:PYTHONPATH=(\S+) )?python (tests/bench/\w+\.py) "
    commands = set(re.findall(command, plan.text))
    assert len(commands) == 5
    for path, script in commands:
        job = fork(_import_for, path, script)
        job.join()
        assert job.exitcode == 0, script


def _import_for(path: str, script: str) -> None:
    """Run a script with --help where it finds of the tests what a new interpreter would find.

    Forked, as most of it is importing torch.
    """
    tests = str(BENCH.parent)
    for name in [
        n for n, m in sys.modules.items() if (getattr(m, "__file__", "") or "").startswith(tests)
    ]:
        del sys.modules[name]
    found = [str(ROOT / script.rpartition("/")[0]), *([str(ROOT / path)] if path else [])]
    sys.path = [*found, *(one for one in sys.path if not one.startswith(tests))]
    sys.argv = [script, "--help"]
    runpy.run_path(str(ROOT / script), run_name="__main__")
