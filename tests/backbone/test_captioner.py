import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from huggingface_hub.constants import HF_HUB_CACHE
from PIL import Image

from giftune.backbone.captioner import LONGEST, Captioner, load_captioner
from giftune.errors import InputError
from tests.caption_checkpoints import IMAGE, QUERIES, SPECIAL, WORDS, build_blip2

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_blip2(tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="module")
def captioner(folder: Path) -> Captioner:
    return load_captioner(str(folder), device="cpu")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    assert HF_HUB_CACHE
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 36, 3), dtype=np.uint8)


def by_hand(captioner: Captioner, pixels: np.ndarray) -> str:
    """The word of the largest logit, one after the other, from the network's plain forward pass."""
    resized = np.asarray(Image.fromarray(pixels).resize((28, 28), Image.Resampling.BICUBIC))
    values = (torch.from_numpy(resized / 255.0).float() - torch.tensor(MEAN)) / torch.tensor(STD)
    batch = rearrange(values, "h w c -> 1 c h w")
    vocabulary = [*SPECIAL, *WORDS, IMAGE]
    end = vocabulary.index("</s>")
    tokens = [vocabulary.index(IMAGE)] * QUERIES + [end]
    said: list[str] = []
    while len(said) < LONGEST:
        with torch.no_grad():
            logits = captioner.model(pixel_values=batch, input_ids=torch.tensor([tokens])).logits
        tokens.append(int(logits[0, -1].argmax()))
        if tokens[-1] == end:
            break
        said.append(vocabulary[tokens[-1]])
    return " ".join(word for word in said if word not in (*SPECIAL, IMAGE))


def test_the_likeliest_words_of_the_picture_alone(captioner: Captioner) -> None:
    captions = [captioner.caption(picture(seed)) for seed in range(3)]
    assert captions == [by_hand(captioner, picture(seed)) for seed in range(3)]
    assert len(set(captions)) > 1 and all(set(caption.split()) <= set(WORDS) for caption in captions)


def test_what_is_in_the_cache_needs_no_network(folder: Path, captioner: Captioner, no_hub: Path) -> None:
    root = no_hub / "models--owner--blip2"
    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(folder, root / "snapshots" / commit)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)
    cached = load_captioner("owner/blip2", device="cpu", dtype="bfloat16")
    assert cached.model.dtype == torch.bfloat16 and cached.caption(picture(0))
    kept = cached.model.get_input_embeddings().weight.float()
    torch.testing.assert_close(kept, captioner.model.get_input_embeddings().weight, rtol=1e-2, atol=1e-2)


def test_what_is_not_here_says_what_to_fetch(no_hub: Path) -> None:
    with pytest.raises(
        InputError, match=r"model 'Salesforce/blip2-opt-2\.7b' is not on this .*download=true"
    ):
        load_captioner(device="cpu")
    with pytest.raises(InputError, match=r"model 'owner/other' could not be fetched .*Salesforce/blip2-opt"):
        load_captioner("owner/other", device="cpu", download=True)
    with pytest.raises(InputError, match=r"model '/nowhere/blip2' does not exist; it must be a folder or"):
        load_captioner("/nowhere/blip2", device="cpu")


def test_damaged_folders(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="copy has no processor of BLIP-2; download 'Salesforce/blip2"):
        load_captioner(str(copy), device="cpu")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"copy has no tokenizer\.json; download 'Salesforce/blip2"):
        load_captioner(str(copy), device="cpu")
    next(copy.glob("model-00001*")).unlink()
    with pytest.raises(InputError, match="does not load as Blip2ForConditionalGeneration"):
        load_captioner(str(copy), device="cpu")
    for path in copy.glob("model*"):
        path.unlink()
    (copy / "pytorch_model.bin").touch()
    with pytest.raises(InputError, match=r"only pytorch_model\.bin, and pickles can run code"):
        load_captioner(str(copy), device="cpu")
