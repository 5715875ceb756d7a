"""Chat templates of strangers, and sizes that lie: what they may cost."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from peak_memory import forget_peak, peak_mb
from processes import fork
from spoiling import (
    CONFIG,
    DEEP,
    IMAGES,
    INDEX,
    PIPELINE,
    TEMPLATE,
    TOKENIZER,
    WEIGHTS,
    Spoil,
    claim,
    put,
    sparse,
    text,
)

from samr1.core.errors import UserError
from samr1.policy.model import load_policy

LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
DOUBLE = (
    "{% set n = namespace(x='a') %}{% for i in range(64) %}{% set n.x = n.x ~ n.x %}{% endfor %}"
)
SHELL = "{{ cycler.__init__.__globals__.os.popen('touch PROOF') }}"
TEMPLATES = [
    (LOOP, "takes more than 2 seconds"),
    ("{% for i in range(10**9) %}{% endfor %}", "Range too big"),
    (DOUBLE, "MemoryError"),
    ("{{ 'a' * 10**11 }}", "MemoryError"),
    ("{{ 'a' * 10**6 }}", "its text has no end"),
    ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "RecursionError"),
    (SHELL, "SecurityError"),
    ("{{ [].__class__.__base__.__subclasses__() }}", "SecurityError"),
    ("{% include '/etc/passwd' %}", "no loader"),
    ("{% for", "TemplateSyntaxError"),
    ("{{ strftime_now('%Y') }}", "'strftime_now' is undefined"),
    ("{{ raise_exception('no\nimages') }}", "no images"),
    ("", "has no chat template"),
    ("{{ messages[0].content }}{{ messages[1].content[1].text | upper }}", "each once"),
    ("{{ messages[0].content }}{{ messages[1].content[1].text }}", "writes 0 image tokens"),
]


@pytest.mark.parametrize(("template", "sentence"), TEMPLATES)
def test_a_chat_template_is_run_where_it_can_do_no_harm(
    policy: Path, tmp_path: Path, template: str, sentence: str
) -> None:
    proof = tmp_path / "was_run"
    (policy / TEMPLATE).write_text(template.replace("PROOF", str(proof)))
    with pytest.raises(
        UserError, match=rf"^[^\n]*chat template[^\n]*{sentence}[^\n]*\.$|has no chat"
    ):
        load_policy(policy)
    assert not proof.exists()


@pytest.mark.parametrize("form", ["chat_template.json", "tokenizer_config.json", "by name"])
def test_a_chat_template_is_found_where_older_checkpoints_have_it(policy: Path, form: str) -> None:
    template = (policy / TEMPLATE).read_text()
    (policy / TEMPLATE).unlink()
    settings = json.loads((policy / TOKENIZER).read_text())
    if form == "chat_template.json":
        (policy / form).write_text(json.dumps({"chat_template": template}))
    elif form == "tokenizer_config.json":
        (policy / TOKENIZER).write_text(json.dumps(settings | {"chat_template": template}))
    else:
        several = [{"name": "tool", "template": "{%"}, {"name": "default", "template": template}]
        (policy / TOKENIZER).write_text(json.dumps(settings | {"chat_template": several}))
    assert load_policy(policy).tokenizer.chat_template == template


LYING: list[Spoil] = [
    put(CONFIG, "text_config.hidden_size", 2**20),
    put(CONFIG, "text_config.intermediate_size", 2**20),
    put(CONFIG, "text_config.vocab_size", 2**20),
    put(CONFIG, "text_config.num_hidden_layers", 10**9),
    put(CONFIG, "vision_config.depth", 256),
    put(CONFIG, "vision_config.intermediate_size", 2**20),
    put(CONFIG, "num_labels", 10**9),  # not handed on, so the policy is whole
    put(PIPELINE, "normalizer", {"type": "Sequence", "normalizers": [{"type": "Replace"}] * 60}),
    text(TEMPLATE, DOUBLE),
    text(CONFIG, DEEP * 10),
    text(INDEX, "[" + "[]," * 10**6),
    text(WEIGHTS, claim([10**6, 10**6])),
    *(sparse(file) for file in (CONFIG, TOKENIZER, PIPELINE, IMAGES, TEMPLATE, WEIGHTS)),
]


def measure(whole: Path, folders: list[Path], report: Path) -> None:
    """Write how many MB each folder took to load, in a process that has loaded a whole one."""
    load_policy(whole)
    grown = []
    for folder in folders:
        forget_peak()
        before = peak_mb()
        with suppress(UserError):
            load_policy(folder)
        grown.append(peak_mb() - before)
    report.write_text(json.dumps(grown))


def test_sizes_that_lie_take_no_memory(whole: Path, tmp_path: Path) -> None:
    folders = []
    for number, spoil in enumerate(LYING):
        folders.append(Path(shutil.copytree(whole, tmp_path / str(number))))
        spoil(folders[-1])
    process = fork(measure, whole, folders, tmp_path / "grown.json")
    process.join()
    grown = json.loads((tmp_path / "grown.json").read_text())
    assert len(grown) == len(LYING)
    assert max(grown) < 500, grown
