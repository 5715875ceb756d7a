"""Models, tables of questions and arguments that are whole, for those who damage them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hostile_readers import Reader
from safetensors.torch import load_file, save_file
from spoiling import IMAGES, INDEX, TEMPLATE, WEIGHTS
from tiny import tiny_policy
from tiny_detector import save_detector, tiny_detector

from samr1 import __main__
from samr1.app.questions import gather_questions
from samr1.app.serving import PAGE
from samr1.core.errors import UserError
from samr1.detector.detector import Detector
from samr1.policy.model import load_policy, save_policy
from samr1.policy.prompt_settings import BASE_SETTINGS, read_settings, resolve, write_settings
from samr1.segmenter import Segmenter
from samr1.segmenter.build import load_sam2
from samr1.segmenter.files import SegmenterFiles

ARGUMENTS = ("ok.jpg", "the blue triangle", "-o", "out", "--image-size", "84", "--dialect", "qwen")
SETTINGS = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"),
    *("preprocessor_config.json", "chat_template.jinja"),
)
OLDER = ("vocab.json", "merges.txt", "chat_template.json", "processor_config.json")
PARTS = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]


def write_policy(folder: Path) -> None:
    save_policy(tiny_policy(), folder / "policy")
    (folder / "policy" / "samr1.json").write_text(write_settings(BASE_SETTINGS))


def write_older_policy(folder: Path) -> None:
    """The tokenizer, the chat template and the image processor as older checkpoints keep them."""
    write_policy(folder)
    policy = folder / "policy"
    vocab, merges, template, processor = (policy / name for name in OLDER)
    pipeline = json.loads((policy / "tokenizer.json").read_text())
    vocab.write_text(json.dumps(pipeline["model"]["vocab"]))
    merges.write_text("#version: 0.2\n")
    settings = json.loads((policy / "tokenizer_config.json").read_text())
    added = {str(one.pop("id")): one for one in pipeline["added_tokens"]}
    settings |= {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added}
    (policy / "tokenizer_config.json").write_text(json.dumps(settings))
    template.write_text(json.dumps({"chat_template": (policy / TEMPLATE).read_text()}))
    processor.write_text(json.dumps({"image_processor": json.loads((policy / IMAGES).read_text())}))
    for name in ("tokenizer.json", TEMPLATE, IMAGES):
        (policy / name).unlink()


def write_policy_in_parts(folder: Path) -> None:
    """The weights in two files, which an index names."""
    write_policy(folder)
    whole = folder / "policy" / WEIGHTS
    weights = load_file(whole)
    places = {name: PARTS[number % 2] for number, name in enumerate(weights)}
    for part in PARTS:
        own = {name: weights[name] for name in weights if places[name] == part}
        save_file(own, folder / "policy" / part, metadata={"format": "pt"})
    (folder / "policy" / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    whole.unlink()


def read_policy(folder: Path, _: Any) -> Any:
    policy = load_policy(folder / "policy")
    weights = {name: one.numpy().tobytes() for name, one in policy.model.state_dict().items()}
    return weights, policy.tokenizer.get_vocab(), policy.model.config.to_dict()


def read_how_asked(folder: Path, _: Any) -> Any:
    return read_settings(folder / "policy")


def write_segmenter(folder: Path) -> None:
    shutil.copytree(resolve("micro", "segmenter"), folder / "segmenter")


def read_segmenter(folder: Path, _: Any) -> Any:
    return Segmenter.load(folder / "segmenter").image_size


def write_pt(folder: Path) -> None:
    """A small SAM 2 as Meta's files hold theirs, in torch's present form and its older one."""
    write_segmenter(folder)
    weights = {"model": load_file(folder / "segmenter" / WEIGHTS)}
    torch.save(weights, folder / "a.pt")
    torch.save(weights, folder / "b.pt", _use_new_zipfile_serialization=False)


def read_pt(folder: Path, _: Any) -> Any:
    config = folder / "segmenter" / "config.yaml"
    models = [load_sam2(SegmenterFiles(config, folder / name)) for name in ("a.pt", "b.pt")]
    return [one.numpy().tobytes() for model in models for one in model.state_dict().values()]


def write_questions(folder: Path) -> None:
    rows = 'image,question\na.jpg,"the red, round ball"\nb.jpg,café\n'
    (folder / "q.csv").write_text(rows, encoding="utf-8-sig")


def read_questions(folder: Path, _: Any) -> Any:
    return [one.questions for one in gather_questions([folder / "q.csv"], [])]


def write_arguments(folder: Path) -> None:
    """What is given to `samr1 segment`, and the picture that it names."""
    shutil.copy(PAGE / "example.jpg", folder / "ok.jpg")
    (folder / "arguments").write_bytes("\n".join(ARGUMENTS).encode())


def read_arguments(folder: Path, _: Any) -> Any:
    """Run the command; nothing that it says may hold an order to the terminal."""
    given = (folder / "arguments").read_bytes().replace(b"\0", b"").split(b"\n")
    argv = ["samr1", "segment", *map(os.fsdecode, given)]
    said, told = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        patch("sys.argv", argv),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(said),
    ):
        try:
            __main__.start()
        except SystemExit as error:
            if error.code not in (1, 2):
                raise
            raise UserError(said.getvalue().splitlines()[-1]) from error
        finally:
            for line in (told.getvalue() + said.getvalue()).splitlines():
                assert line.replace("\r", "").isprintable(), repr(line)
    return told.getvalue()


def of_policy(
    name: str,
    files: Iterable[str],
    write: Callable[[Path], None] = write_policy,
    read: Callable[[Path, Any], Any] = read_policy,
) -> Reader:
    return Reader(name, tuple(f"policy/{file}" for file in files), write, read)


def read_detector(folder: Path, _: Any) -> Any:
    detector = Detector.load(folder / "detector")
    return [one.numpy().tobytes() for one in detector.model.state_dict().values()]


MODELS = [
    of_policy("policy, settings", SETTINGS),
    of_policy("policy, settings of older ones", OLDER, write_older_policy),
    of_policy("policy, weights", [WEIGHTS]),
    of_policy("policy, weights in parts", [INDEX, *PARTS], write_policy_in_parts),
    of_policy("policy, samr1.json", ["samr1.json"], read=read_how_asked),
    Reader(
        "segmenter",
        ("segmenter/config.yaml", "segmenter/model.safetensors"),
        write_segmenter,
        read_segmenter,
    ),
    Reader("segmenter, .pt", ("a.pt", "b.pt"), write_pt, read_pt),
    Reader(
        "detector",
        ("detector/config.json", "detector/tokenizer.json", "detector/model.safetensors"),
        lambda folder: save_detector(tiny_detector(), folder / "detector"),
        read_detector,
    ),
    Reader("questions, CSV", ("q.csv",), write_questions, read_questions),
    Reader("arguments", ("arguments",), write_arguments, read_arguments),
]
