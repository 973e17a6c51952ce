"""Prompts to the text embeddings that steer the U-Net."""

import warnings
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm
from transformers import BatchEncoding, CLIPTextModel, CLIPTokenizer


@torch.no_grad()
def encode_prompts(
    tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompts: Sequence[str]
) -> Float[Tensor, "b n d"]:
    """The last hidden states of every prompt, padded to the encoder's full length.

    The empty prompt is the unconditional one. What does not fit is cut, with a warning that shows it.
    """
    config = text_encoder.config
    tokens = _tokens(tokenizer, text_encoder, prompts)
    _warn_when_cut(tokenizer, prompts, tokens.input_ids.shape[1])
    # Stable Diffusion was trained without a mask over the padding; a few descendants ask for one.
    mask = tokens.attention_mask if getattr(config, "use_attention_mask", False) else None
    device = text_encoder.device
    states = text_encoder(tokens.input_ids.to(device), None if mask is None else mask.to(device))
    return states.last_hidden_state


@torch.no_grad()
def embed_words(
    tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompts: Sequence[str]
) -> Float[Tensor, "b n d"]:
    """What the encoder begins with: the embedding of every token, with zero mean and unit variance.

    Zero behind the token that ends a prompt. An encoder that learnt from single pictures may lose what no
    picture shows, such as the verb; here every word is as large as any other. Cut as `encode_prompts` does.
    """
    tokens = _tokens(tokenizer, text_encoder, prompts)
    ids, mask = tokens.input_ids.to(text_encoder.device), tokens.attention_mask.to(text_encoder.device)
    embedded = text_encoder.get_input_embeddings()(ids)
    return layer_norm(embedded, embedded.shape[-1:]) * mask[..., None]


def _tokens(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompts: Sequence[str]) -> BatchEncoding:
    length = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
    return tokenizer(
        list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )


def _warn_when_cut(tokenizer: CLIPTokenizer, prompts: Sequence[str], length: int) -> None:
    for prompt in prompts:
        ids = tokenizer(prompt).input_ids
        if len(ids) > length:
            lost = tokenizer.decode(ids[length - 1 : -1])
            warnings.warn(
                f"prompt {prompt!r} has more than {length - 2} tokens; this end of it is ignored: {lost!r}",
                stacklevel=3,
            )
