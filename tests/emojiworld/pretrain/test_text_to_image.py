import pytest
import torch
from diffusers import DDIMScheduler
from transformers import CLIPTokenizer

from giftune.emojiworld.captions import words
from giftune.emojiworld.pretrain.text_encoder import build_text_encoder
from giftune.emojiworld.pretrain.text_to_image import CaptionedLatents, TextToImageTraining
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer

LABELS = [{"subject": "fox", "background": "snow", "style": "plain", "motion": "run"}]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(words(), tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
def training(tokenizer: CLIPTokenizer) -> TextToImageTraining:
    return TextToImageTraining(build_text_encoder(tokenizer), max_steps=10)


def test_loss_is_the_weighted_velocity_error(
    training: TextToImageTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: dict = {}
    monkeypatch.setattr(training, "log_dict", lambda values, **_: logged.update(values))
    latents, tokens = torch.randn(3, 4, 16, 16), torch.zeros(3, 24, dtype=torch.long)
    torch.manual_seed(5)
    loss = training.training_step((latents, tokens), 0)

    torch.manual_seed(5)
    noise, t = torch.randn_like(latents), torch.randint(1000, (3,))
    expected = 0.0
    text = training.text_encoder(tokens).last_hidden_state
    alpha_bar = DDIMScheduler.from_config(training.scheduler.config).alphas_cumprod
    for i in range(3):
        a, s = alpha_bar[t[i]].sqrt(), (1 - alpha_bar[t[i]]).sqrt()
        noisy = a * latents[i] + s * noise[i]
        output = training.model(noisy[None], t[i], text[i : i + 1]).sample[0]
        snr = (a / s) ** 2
        expected += min(1, 5.0 / snr) * (output - (a * noise[i] - s * latents[i])).square().mean() / 3
    torch.testing.assert_close(loss, torch.as_tensor(expected), rtol=1e-4, atol=1e-5)


def test_average_follows_the_model_slowly(training: TextToImageTraining) -> None:
    weight = training.model.conv_in.weight
    training.on_train_batch_end(None, None, 0)
    before = weight.detach().clone()
    with torch.no_grad():
        weight += 1.0
    training.on_train_batch_end(None, None, 1)
    moved = training.average.module.conv_in.weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 0.001), rtol=0.05, atol=0)


def test_captions_are_sometimes_dropped_and_always_padded(tokenizer: CLIPTokenizer) -> None:
    data = CaptionedLatents(torch.zeros(1, 4, 16, 16), LABELS, tokenizer)
    torch.manual_seed(0)
    drawn = [data[0][1] for _ in range(200)]
    empty = data.tokens("")
    share = sum(torch.equal(tokens, empty) for tokens in drawn) / 200
    assert 0.03 < share < 0.2 and {len(tokens) for tokens in drawn} == {24}


def test_the_text_encoder_is_frozen(training: TextToImageTraining) -> None:
    groups = training.configure_optimizers()["optimizer"].param_groups
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    assert trained == {id(p) for p in training.model.parameters()}
    assert not any(p.requires_grad for p in training.text_encoder.parameters())
