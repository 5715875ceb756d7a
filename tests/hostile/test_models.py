"""Policies of strangers: what is refused at loading, and the sentence that says so."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from spoiling import (
    CONFIG,
    DEEP,
    GENERATION,
    IMAGES,
    PIPELINE,
    TOKENIZER,
    WEIGHTS,
    Spoil,
    claim,
    fifo,
    first,
    index,
    lose,
    put,
    sparse,
    text,
    weight,
)
from torch import Tensor

from samr1.core.errors import UserError
from samr1.policy.model import load_policy, save_policy

REFUSED: list[tuple[Spoil, str]] = [
    # config.json: no JSON, of another kind, and values of which there is no model.
    (text(CONFIG, "{"), r"config\.json: not a JSON file"),
    (text(CONFIG, "[]"), r"config\.json: must be a JSON object"),
    (text(CONFIG, DEEP), r"config\.json: has more than 65,536 values"),
    (text(CONFIG, DEEP[:50_000]), r"config\.json: not a JSON file \(maximum recursion"),
    (text(CONFIG, b"\xff\xfe"), r"config\.json: not a JSON file"),
    (text(CONFIG, '{"model_type": NaN}'), "NaN is no finite number"),
    (text(CONFIG, '{"model_type": ["qwen2_5_vl"]}'), "is a model of type"),
    (text(CONFIG, '{"model_type": "qwen2_vl"}'), "the weights do not fit"),
    (sparse(CONFIG), r"config\.json: has more than 1,048,576 bytes"),
    (fifo(CONFIG), r"holds no config\.json"),
    (put(CONFIG, "text_config", 5), "text_config = 5"),
    (put(CONFIG, "vision_config", []), r"vision_config = \[\]"),
    (put(CONFIG, "text_config.num_attention_heads", 0), "num_attention_heads = 0: must be"),
    (put(CONFIG, "text_config.num_attention_heads", 5), "no model can be built of it"),
    (put(CONFIG, "text_config.num_attention_heads", 1), "do not fit config.json"),
    (put(CONFIG, "text_config.num_key_value_heads", 0), "num_key_value_heads = 0"),
    (put(CONFIG, "text_config.hidden_size", -1), "hidden_size = -1"),
    (put(CONFIG, "text_config.hidden_size", "32"), 'hidden_size = "32"'),
    (put(CONFIG, "text_config.rms_norm_eps", 0), "rms_norm_eps = 0"),
    (put(CONFIG, "text_config.attention_dropout", 2), "attention_dropout = 2"),
    (put(CONFIG, "text_config.hidden_act", "os.system"), "hidden_act = .* must be 'silu', "),
    (put(CONFIG, "text_config.dtype", "float99"), "dtype = .* must be 'float32', "),
    (put(CONFIG, "dtype", "load"), "dtype = .* must be 'float32', "),
    (put(CONFIG, "quantization_config", {"quant_method": "fp8"}), "that is not quantized"),
    (put(CONFIG, "text_config.quantization_config", {}), "that is not quantized"),
    (put(CONFIG, "text_config.use_sliding_window", True), "use_sliding_window = true"),
    (put(CONFIG, "text_config.layer_types", ["full_attention"]), "must be equal to the number"),
    (put(CONFIG, "text_config.rope_parameters", 5), "rope_parameters = 5"),
    (put(CONFIG, "text_config.rope_parameters.rope_type", "yarn"), "must be 'default' or"),
    (put(CONFIG, "text_config.rope_parameters.rope_theta", 0), "rope_theta = 0"),
    (put(CONFIG, "text_config.rope_parameters.mrope_section", [1, 1, 1]), "can be run"),
    (put(CONFIG, "text_config.rope_parameters.mrope_section", [4]), r"mrope_section = \[4\]"),
    (put(CONFIG, "vision_config.num_heads", 0), "num_heads = 0"),
    (put(CONFIG, "vision_config.num_heads", 16), "can be run"),
    (put(CONFIG, "vision_config.in_channels", 1), "in_channels = 1: must be 3"),
    (put(CONFIG, "vision_config.window_size", 1), "can be run"),
    (put(CONFIG, "vision_config.rope_parameters.rope_type", "default"), "must be 'axial'"),
    # Sizes that lie: nothing is built of them.
    (put(CONFIG, "text_config.num_hidden_layers", 10**6), "num_hidden_layers = 1000000"),
    (put(CONFIG, "text_config.num_hidden_layers", 200), "must be equal to the number of"),
    (put(CONFIG, "vision_config.depth", 99), r"do not fit config\.json: \d+ missing"),
    (put(CONFIG, "text_config.vocab_size", 10**6), "do not fit config.json"),
    (put(CONFIG, "vision_config.depth", 10**9), "depth = 1000000000"),
    (put(CONFIG, "vision_config.window_size", 10**9), "window_size = 1000000000"),
    (text(WEIGHTS, claim([2**62, 2**62])), "cannot be read"),
    (text(WEIGHTS, (2**40).to_bytes(8, "little")), "claims a header of 1,099,511,627,776 bytes"),
    (text(WEIGHTS, b""), "cannot be read"),
    (sparse(WEIGHTS), "cannot be read"),
    (fifo(WEIGHTS), "holds neither model.safetensors nor"),
    # Weights that are no finite numbers, or of no number of the kind.
    (weight("model.norm.weight", first(math.nan)), "infinite or none"),
    (weight("lm_head.weight", first(-math.inf)), r"in lm_head\.weight that are infinite or none"),
    (weight("model.norm.weight", lambda w: w.double() * 1e300), "infinite or none"),
    (weight("model.norm.weight", Tensor.long), r"as I64, which are no floating-point"),
    (weight("model.norm.weight", lambda w: w.to(torch.float8_e4m3fn)), "as F8_E4M3, which"),
    (weight("model.norm.weight", lambda w: w[:0]), "do not fit config.json"),
    # The index.
    (index("{"), "index.json: not a JSON file"),
    (index(DEEP), "index.json: not a JSON file"),
    (index([]), "must be a JSON object"),
    (index({"weight_map": {}}), "has no weight_map of names"),
    (index({"weight_map": {"a": 5}}), "has no weight_map of names"),
    (index({"weight_map": {"a": "../policy/x.safetensors"}}), "has no weight_map of names"),
    (index({"weight_map": {"a": "/etc/passwd"}}), "has no weight_map of names"),
    (index({"weight_map": {"a": "pytorch_model.bin"}}), "has no weight_map of names"),
    (index({"weight_map": {"a": "\0.safetensors"}}), "has no weight_map of names"),
    (index({"weight_map": {"a": f"{'x' * 5000}.safetensors"}}), "has no weight_map of names"),
    (index({"weight_map": {"a": "gone.safetensors"}}), r"lacks gone\.safetensors"),
    # The tokenizer: of another model, or with steps of its own.
    (put(TOKENIZER, "tokenizer_class", "LlamaTokenizer"), "is a 'LlamaTokenizer'"),
    (put(TOKENIZER, "tokenizer_class", 5), "tokenizer_class = 5"),
    (put(TOKENIZER, "model_max_length", "long"), "model_max_length = "),
    (put(TOKENIZER, "split_special_tokens", True), "split_special_tokens = true"),
    (put(TOKENIZER, "eos_token", {"a": 1}), "its tokenizer cannot be loaded"),
    (put(TOKENIZER, "added_tokens_decoder", {"a": 5}), "added_tokens_decoder"),
    (text(TOKENIZER, DEEP), r"tokenizer_config\.json: has more than 65,536 values"),
    (text(PIPELINE, "{"), r"tokenizer\.json: not a JSON file"),
    (text(PIPELINE, DEEP), r"tokenizer\.json: not a JSON file"),
    (sparse(PIPELINE), r"tokenizer\.json: has more than"),
    (lose(PIPELINE), "its tokenizer cannot be loaded"),
    (put(PIPELINE, "normalizer", {"type": "Replace"}), "the normalizer of its tokenizer.json"),
    (put(PIPELINE, "normalizer", {"type": "Sequence", "normalizers": [5]}), "the normalizer"),
    (put(PIPELINE, "pre_tokenizer", None), "the pre_tokenizer of its tokenizer.json"),
    (put(PIPELINE, "decoder", {"type": "Fuse"}), "the decoder of its tokenizer.json"),
    (put(PIPELINE, "model.dropout", 0.5), "is no plain BPE;"),
    (put(PIPELINE, "model.type", "Unigram"), "is no plain BPE;"),
    (put(PIPELINE, "model.merges", [["a", "nowhere"]]), "its tokenizer cannot be loaded"),
    (put(PIPELINE, "model.vocab.!", 5000), "has a token 5000, and its model only 263"),
    (put(CONFIG, "image_token_id", 1), "is token 5 of its tokenizer, and image_token_id"),
    (put(CONFIG, "video_token_id", 5), "is token 6 of its tokenizer, and video_token_id"),
    (put(CONFIG, "vision_start_token_id", 0), "is token 3 .* and vision_start_token_id"),
    (put(CONFIG, "text_config.eos_token_id", 9), "is token 2 .* and eos_token_id"),
    (put(CONFIG, "text_config.eos_token_id", 0), r"eos_token_id .* is 0; .* \(-Instruct\)"),
    # The image processor.
    (lose(IMAGES), r"preprocessor_config\.json: no such file"),
    (text(IMAGES, "[]"), r"preprocessor_config\.json: must be a JSON object"),
    (text("processor_config.json", '{"image_processor": 5}'), "image_processor must be a JSON"),
    (put(IMAGES, "image_std", [0.2, 0, 0.2]), r"image_std\.1 = 0: must be"),
    (put(IMAGES, "image_std", [0.2, 0.2]), "image_std = "),
    (put(IMAGES, "image_std", math.inf), "Infinity is no finite number"),
    (put(IMAGES, "image_mean", ["a", 0, 0]), r"image_mean\.0 = "),
    (put(IMAGES, "rescale_factor", 0), "rescale_factor = 0"),
    (put(IMAGES, "do_normalize", False), "do_normalize = false"),
    (put(IMAGES, "patch_size", 0), "patch_size = 0"),
    (put(IMAGES, "patch_size", 14), r"sizes \(14, 2, 2\), and its config\.json \(7, 2, 2\)"),
    (put(IMAGES, "merge_size", 1), r"sizes \(7, 2, 1\)"),
    # Files that would be saved with a trained policy, or be given to the library.
    (put(GENERATION, "temperature", "hot"), "temperature = "),
    (text(GENERATION, '{"do_sample": false, "temperature": 0.1}'), "cannot be loaded as a policy"),
    (text(GENERATION, DEEP), r"generation_config\.json: has more than 65,536 values"),
    (text("adapter_config.json", "{}"), "holds an adapter beside the weights"),
]


@pytest.mark.parametrize(("spoil", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_is_no_policy_is_refused_in_one_sentence(
    policy: Path, spoil: Spoil, sentence: str
) -> None:
    spoil(policy)
    with pytest.raises(UserError, match=rf"^[^\n]*({sentence})[^\n]*\.$"):
        load_policy(policy)


def test_what_lies_beside_a_policy_is_not_acted_on(
    policy: Path, tmp_path: Path, whole: Path
) -> None:
    proof = tmp_path / "was_run"
    code = f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n"
    (policy / "custom_generate").mkdir()
    (policy / "additional_chat_templates").mkdir()
    for name in ("evil.py", "tokenization_evil.py", "custom_generate/generate.py"):
        (policy / name).write_text(code)
    (policy / "additional_chat_templates/evil.jinja").write_text("{%")
    (policy / "shard-00000-model-00001-of-00001.safetensors").write_bytes(b"")
    (policy / "special_tokens_map.json").write_text("{")
    torch.save({}, policy / "adapter_model.bin")
    auto = {name: "evil.Evil" for name in ("AutoConfig", "AutoModel", "AutoImageProcessor")}
    for file, values in {
        CONFIG: {
            "auto_map": auto,
            "transformers_weights": "adapter_model.bin",
            "attn_implementation": "someone/kernels",
            "fusion_config": {"patch_embeddings": True},
            "num_labels": 10**9,
            "to_dict": 5,
        },
        TOKENIZER: {
            "auto_map": {"AutoTokenizer": ["evil.Evil", None]},
            "tokenizer_file": "/etc/passwd",
            "fast_tokenizer_files": ["/etc/passwd"],
        },
        IMAGES: {"auto_map": auto, "image_processor_type": "evil.Evil"},
        GENERATION: {"custom_generate": "custom_generate", "to_dict": 5},
    }.items():
        content = json.loads((policy / file).read_text())
        (policy / file).write_text(json.dumps(content | values))
    loaded, plain = load_policy(policy), load_policy(whole)
    assert not proof.exists()
    for name, weights in plain.model.state_dict().items():
        assert torch.equal(weights, loaded.model.state_dict()[name]), name
    assert loaded.tokenizer.get_vocab() == plain.tokenizer.get_vocab()
    assert loaded.model.config.to_diff_dict() == plain.model.config.to_diff_dict()


def test_what_is_saved_does_not_tell_where_it_was_loaded(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_policy(load_policy(whole), tmp_path / "online")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    save_policy(load_policy(whole), tmp_path / "offline")
    for file in (tmp_path / "online").iterdir():
        assert file.read_bytes() == (tmp_path / "offline" / file.name).read_bytes(), file.name
    assert (tmp_path / "online" / TOKENIZER).read_bytes() == (whole / TOKENIZER).read_bytes()
