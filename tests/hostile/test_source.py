"""The source: nothing in it lets a file name code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/samr1"
FILES = sorted(SOURCE.rglob("*.py"))

# The check of a GPU imports its own stages; a dialect's module and a tracker have one of the
# schema's names.
KNOWN = {
    "gpu/worker.py": ["importlib.import_module"],
    "policy/dialects/__init__.py": ["import_module"],
    "train/boards.py": ["importlib.import_module"],
}
BUILT_IN = {"eval", "exec", "compile", "__import__"}
ELSEWHERE = {"import_module", "instantiate", "popen", "system"}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "hydra"}
AUTO = {
    "AutoConfig",
    "AutoModel",
    "AutoTokenizer",
    "AutoProcessor",
    "AutoImageProcessor",
    "AutoModelForImageTextToText",
}


def dotted(node: ast.expr) -> str:
    """`a.b.c` of such an expression; what is none ends with its last name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def unsafe(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names if one.name in AUTO)
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        first, _, last = name.rpartition(".")
        keys = {one.arg: ast.unparse(one.value) for one in node.keywords}
        if name in BUILT_IN or last in ELSEWHERE | AUTO:
            yield name
        if first.partition(".")[0] in PICKLES and last in {"load", "loads", "Unpickler"}:
            yield name
        if name == "torch.load" and keys.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if name in {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}:
            yield name
        if "allow_pickle" in keys or keys.get("shell") == "True":
            yield f"{name} with {keys}"
        if "trust_remote_code" in keys and keys["trust_remote_code"] != "False":
            yield f"{name} with trust_remote_code"


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "pickle.load(file)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "yaml.load(text, yaml.Loader)",
        "hydra.utils.instantiate(config)",
        "importlib.import_module(name)",
        "np.load(file, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "from transformers import AutoModel",
        "Qwen2Tokenizer.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    assert list(unsafe(ast.parse(line)))


def test_no_line_of_the_source_lets_a_file_name_code() -> None:
    found = {file: list(unsafe(ast.parse(file.read_text(encoding="utf-8")))) for file in FILES}
    assert len(found) > 100
    named = {str(file.relative_to(SOURCE)): lines for file, lines in found.items() if lines}
    assert named == KNOWN


# JSON, what a command is asked to print, numbers, and what other processes said.
PRINTS = {
    "app/serving.py",
    "cli/check_gpu.py",
    "cli/plan.py",
    "cli/pretrain_policy.py",
    "cli/pretrain_segmenter.py",
    "cli/resolve_config.py",
    "core/errors.py",
    "gpu/worker.py",
    "policy/rendering.py",
    "train/launch.py",
}
SPEAKING = {"print", "sys.stderr.write", "sys.stdout.write", "warnings.warn"} | {
    "argparse.ArgumentParser"  # its complaints: samr1.cli.parser's are harmless
}


def speaks(tree: ast.AST) -> bool:
    """Whether anything is said that was not made harmless to a terminal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            first = node.args[0] if node.args else None
            harmless = isinstance(first, ast.Call) and dotted(first.func) in (
                "printable",
                "json.dumps",
            )
            if name in SPEAKING:
                return True
            if name == "tqdm.write" and not harmless:
                return True
    return False


def test_what_is_said_to_a_person_steers_no_terminal() -> None:
    said = {file for file in FILES if speaks(ast.parse(file.read_text(encoding="utf-8")))}
    assert {str(file.relative_to(SOURCE)) for file in said} == PRINTS
