"""Structure from pictures: what a ControlNet or a T2I-Adapter adds to a U-Net, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import ControlNetModel, T2IAdapter
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor

from giftune.backbone._control_folder import load_control_network
from giftune.backbone.placement import resolve_device, resolve_dtype
from giftune.backbone.stable_diffusion import Backbone
from giftune.errors import InputError

SD15 = "Stable Diffusion 1.5 fits lllyasviel/sd-controlnet-depth or TencentARC/t2iadapter_depth_sd15v2"


@dataclass(frozen=True, eq=False)
class Control:
    """A frozen `ControlNetModel` (Zhang et al. 2023) or `T2IAdapter` (Mou et al. 2023).

    Frames are folded into the batch, so that each is controlled by its own picture. Raises `InputError` for
    another network.
    """

    network: Any
    source: str = "control"

    def __post_init__(self) -> None:
        if not isinstance(self.network, ControlNetModel | T2IAdapter):
            raise InputError(
                f"the control is a {type(self.network).__name__}, it must be a ControlNetModel or a "
                "T2IAdapter with weights of its own; none is made of a U-Net that was inflated."
            )

    @property
    def each_step(self) -> bool:
        """Whether the residuals depend on the noisy latents, as those of a ControlNet do."""
        return isinstance(self.network, ControlNetModel)

    def encode(self, picture: Float[Tensor, "b 3 f H W"]) -> list[Float[Tensor, "bf _ _ _"]]:
        """What stays the same in all steps, folded: a ControlNet's pictures, or an adapter's residuals."""
        network = self.network
        folded = rearrange(picture, "b c f H W -> (b f) c H W").to(network.device, network.dtype)
        if self.each_step:
            return [folded]
        if network.config.in_channels == 1:
            folded = reduce(folded, "bf c H W -> bf 1 H W", "mean")
        return list(network(folded))

    def residuals(
        self,
        encoded: Sequence[Float[Tensor, "bf _ _ _"]],
        latents: Float[Tensor, "bf c h w"],
        t: Int[Tensor, "bf"],
        text: Float[Tensor, "bf n d"],
        scale: float = 1.0,
    ) -> tuple[list[Float[Tensor, "bf _ _ _"]], Float[Tensor, "bf _ _ _"] | None]:
        """For `VideoUNet`: those of its way down, and the middle's, which only a ControlNet has.

        Its parameters are frozen, so that nothing is kept for a gradient unless the latents need one.
        """
        if not self.each_step:
            return [scale * residual.to(latents) for residual in encoded], None
        number = self.network.dtype
        down, mid = self.network(
            latents.to(number), t, text.to(number), encoded[0], conditioning_scale=scale, return_dict=False
        )
        return [residual.to(latents) for residual in down], mid.to(latents)

    def require_fit(self, backbone: Backbone) -> None:
        """Raise `InputError` unless the residuals have the shapes of the U-Net's features."""
        if self.each_step:
            self._require_equal(backbone, "in_channels", "block_out_channels", "layers_per_block")
            if any("CrossAttn" in name for name in self._config("down_block_types", "mid_block_type")):
                self._require_equal(backbone, "cross_attention_dim")
            shrinks = 2 ** (len(self.network.config.conditioning_embedding_out_channels) - 1)
        else:
            self._require_adapter(backbone)
            shrinks = self.network.config.downscale_factor
        if shrinks != backbone.latent_factor:
            raise InputError(
                f"{self._name} makes pictures {shrinks} times smaller, but the latents of "
                f"{backbone.source!r} are {backbone.latent_factor} times smaller than pictures."
            )

    def _require_equal(self, backbone: Backbone, *names: str) -> None:
        for name in names:
            found, needed = self.network.config[name], backbone.unet.config[name]
            if _plain(found) != _plain(needed):
                raise InputError(
                    f"{self._name} has {name} {_plain(found)}, but the U-Net of {backbone.source!r} needs "
                    f"{_plain(needed)}; {SD15}."
                )

    def _require_adapter(self, backbone: Backbone) -> None:
        config = backbone.unet.config
        found, needed = list(self.network.config.channels), list(config.block_out_channels)
        if self.network.config.adapter_type == "light_adapter":  # it has one block more than numbers
            found.append(found[-1])
        if found != needed:
            raise InputError(
                f"{self._name} has channels {found}, but the U-Net of {backbone.source!r} needs {needed}; "
                f"{SD15}."
            )
        for block in config.down_block_types[:-1]:
            if "CrossAttn" not in block:
                raise InputError(
                    f"{self._name} is a T2IAdapter, but the U-Net of {backbone.source!r} has a {block} that "
                    "shrinks before it adds; a ControlNet is needed."
                )

    def _config(self, *names: str) -> list[str]:
        values = [self.network.config[name] for name in names]
        return [text for value in values for text in ([value] if isinstance(value, str) else value or ())]

    @property
    def _name(self) -> str:
        return f"control.weights.source {self.source!r}"


def load_control(
    source: str | Path | None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
) -> Control:
    """Load "emojiworld" (the embedded ControlNet, on depth), a diffusers folder, or a network of the hub.

    Pickled weights are never opened. Raises `InputError` for whatever cannot be used, naming what is missing
    or what was found.
    """
    where = resolve_device(device)
    network = load_control_network(source, resolve_dtype(dtype, where), revision)
    return Control(network.to(where), str(source))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
