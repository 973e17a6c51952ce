"""A random CogVideoX in the exact layout of THUDM/CogVideoX-2b: file names, folders, shards, vocabulary."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from transformers import T5Config, T5EncoderModel
from transformers.convert_slow_tokenizer import import_protobuf

WORDS = ("▁a", "▁cat", "▁panda", "▁is", "▁runs", "▁surfing", "▁", *"abcdefghijklmnopqrstuvwxyz")
WIDTH, LENGTH = 32, 16
INDEX = {
    "_class_name": "CogVideoXPipeline",
    "_diffusers_version": "0.30.0.dev0",
    "scheduler": ["diffusers", "CogVideoXDDIMScheduler"],
    "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5Tokenizer"],
    "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLCogVideoX"],
}
SCHEDULER = {
    "_class_name": "CogVideoXDDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": True,
    "snr_shift_scale": 3.0,
    "steps_offset": 0,
    "timestep_spacing": "trailing",
}
TRANSFORMER = {
    "num_attention_heads": 4,
    "attention_head_dim": 8,
    "in_channels": 4,
    "out_channels": 4,
    "time_embed_dim": 2,
    "text_embed_dim": WIDTH,
    "num_layers": 1,
    "sample_width": 4,
    "sample_height": 2,
    "sample_frames": 9,
    "max_text_seq_length": LENGTH,
}
VAE = {
    "block_out_channels": (8, 8, 8, 8),
    "latent_channels": 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
}
TEXT = {
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 37,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
    "vocab_size": 3 + len(WORDS) + 100,
}


def build_cogvideox(folder: Path) -> Path:
    torch.manual_seed(0)
    transformer, vae = CogVideoXTransformer3DModel(**TRANSFORMER), AutoencoderKLCogVideoX(**VAE)
    transformer.save_pretrained(folder / "transformer")
    vae.save_pretrained(folder / "vae")
    T5EncoderModel(T5Config(**TEXT)).save_pretrained(folder / "text_encoder", max_shard_size="40KB")
    assert (folder / "text_encoder" / "model.safetensors.index.json").is_file()
    _write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    _write_json(folder / "model_index.json", INDEX)
    _write_tokenizer(folder / "tokenizer")
    return folder


def _write_tokenizer(folder: Path) -> None:
    """spiece.model and no tokenizer.json, as T5 was released."""
    model = import_protobuf().ModelProto()
    special = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2)]
    for name, score, kind in special + [(word, -1.0 - i / 10, 1) for i, word in enumerate(WORDS)]:
        piece = model.pieces.add()
        piece.piece, piece.score, piece.type = name, score, kind
    trainer = model.trainer_spec
    trainer.pad_id, trainer.eos_id, trainer.unk_id, trainer.bos_id, trainer.model_type = 0, 1, 2, -1, 1
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    tokens = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    sentinels = [f"<extra_id_{i}>" for i in range(100)]
    first = 3 + len(WORDS)
    _write_json(folder / "added_tokens.json", {token: first + 99 - i for i, token in enumerate(sentinels)})
    _write_json(folder / "special_tokens_map.json", {**tokens, "additional_special_tokens": sentinels})
    settings = {"extra_ids": 100, "legacy": True, "model_max_length": 226, "tokenizer_class": "T5Tokenizer"}
    _write_json(folder / "tokenizer_config.json", {**tokens, **settings, "sp_model_kwargs": {}})


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))
