import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline, CogVideoXTransformer3DModel
from transformers import T5EncoderModel

from giftune.backbone.cogvideox import load_cogvideox
from giftune.errors import InputError
from tests.cogvideox_checkpoint import WORDS, build_cogvideox


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cogvideox(tmp_path_factory.mktemp("cogvideox") / "model")


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


def load(folder: Path, **settings: object) -> CogVideoXPipeline:
    return load_cogvideox(folder, **{"device": "cpu", "dtype": "float32", **settings})


def test_every_network_is_the_saved_one(checkpoint: Path) -> None:
    pipeline = load(checkpoint)
    kinds = {
        "vae": AutoencoderKLCogVideoX,
        "transformer": CogVideoXTransformer3DModel,
        "text_encoder": T5EncoderModel,
    }
    for name, kind in kinds.items():
        expected = kind.from_pretrained(checkpoint / name, local_files_only=True).state_dict()
        found = getattr(pipeline, name).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(value, expected[key]) for key, value in found.items())
    assert pipeline.scheduler.config.snr_shift_scale == 3.0
    assert load(checkpoint, dtype="bfloat16").transformer.dtype == torch.bfloat16


def test_words_get_the_numbers_of_the_vocabulary(checkpoint: Path) -> None:
    tokenizer = load(checkpoint).tokenizer
    number = {word: 3 + i for i, word in enumerate(WORDS)}
    assert tokenizer("a panda is surfing").input_ids == [
        *(number[word] for word in ("▁a", "▁panda", "▁is", "▁surfing")), 1
    ]  # fmt: skip
    assert tokenizer("be é").input_ids == [number["▁"], number["b"], number["e"], number["▁"], 2, 1]
    assert tokenizer("a", padding="max_length", max_length=4).input_ids == [number["▁a"], 1, 0, 0]
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == 3 + len(WORDS) + 99


def test_the_vocabulary_is_read_as_sentencepiece_does(checkpoint: Path) -> None:
    oracle = sentencepiece.SentencePieceProcessor(str(checkpoint / "tokenizer" / "spiece.model"))
    tokenizer = load(checkpoint).tokenizer
    for text in ("a panda is surfing", "cats run", "the cab", "surfings a", "é"):
        assert tokenizer(text).input_ids == [*oracle.encode(text), 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model_index.json", None, "has no model_index.json: download 'THUDM/CogVideoX-2b'"),
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"},
         "is a StableDiffusionPipeline, a CogVideoXPipeline is needed: download 'THUDM/CogVideoX-2b'"),
        ("model_index.json", {"_class_name": "CogVideoXImageToVideoPipeline"}, "is a CogVideoXImageToVideo"),
        ("tokenizer/spiece.model", None, "has no spiece.model: download 'THUDM/CogVideoX-2b'"),
        ("tokenizer/spiece.model", "no", "is no SentencePiece model .*download 'THUDM/CogVideoX-2b'"),
        ("scheduler/scheduler_config.json", None, "scheduler/scheduler_config.json is missing"),
        ("scheduler/scheduler_config.json", {"_class_name": "PNDMScheduler"}, "has a PNDMScheduler, it must"),
        ("transformer/config.json", None, "has no config.json; download 'THUDM/CogVideoX-2b' again"),
        ("transformer/diffusion_pytorch_model.safetensors", None, "has no diffusion_pytorch_model.safeten"),
        ("vae/diffusion_pytorch_model.safetensors", "no", "does not load as AutoencoderKLCogVideoX"),
        ("text_encoder/model-00001-of-00002.safetensors", None, "does not load as T5EncoderModel; download"),
    ],
)  # fmt: skip
def test_missing_and_foreign_files(folder: Path, name: str, content: object, message: str) -> None:
    path = next(folder.glob(name.replace("of-00002", "of-*")))
    path.unlink()
    if content:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=message):
        load(folder)


def test_what_is_nowhere_names_the_hub_id() -> None:
    with pytest.raises(InputError, match=r"source 'owner/name' could not be fetched.*'THUDM/CogVideoX-2b'"):
        load_cogvideox("owner/name", device="cpu")


def test_nothing_is_fetched_of_another_model(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, held = [], checkpoint / "transformer"
    monkeypatch.setattr(
        "giftune.backbone.snapshot.snapshot_download",
        lambda hub_id, allow_patterns, **_: asked.extend(allow_patterns) or str(held),
    )
    with pytest.raises(InputError, match="has no model_index"):
        load_cogvideox("owner/name", device="cpu")
    assert asked == ["model_index.json"]
    held = checkpoint
    load_cogvideox("owner/name", device="cpu", dtype="float32")
    assert asked[1:] == ["model_index.json", "*/*.json", "*/*.safetensors", "tokenizer/*"]
