"""Guidance towards smooth clips while sampling."""

from collections.abc import Sequence
from typing import Literal

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.prediction import to_x0
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.sampling.sampler import Denoise


class MitigatingGradient:
    """eps + alpha * sqrt(1 - alpha_bar_t) * grad_{x_t} G, where G = mean (x0_hat^{f+1} - x0_hat^f)^2.

    HARIVO (Kwon et al. 2024) names a mitigating gradient with a scale alpha and shows 0, 40 and 150; its
    formula is not published. Ours is classifier guidance (Dhariwal and Nichol 2021, algorithm 2) by G, which
    the sign makes smaller. `backprop` "detached" takes epsilon as a constant and costs nothing; "full" goes
    back through the network. `reduction` is of the squares of a clip, and with it alpha changes its meaning.
    `order` 2 takes the second difference. Steps outside `t_range`, both ends within, are left alone.

    Detached, x0_hat moves by -alpha / snr grad G, and 1 / snr is in the hundreds where sampling starts: small
    clips would be thrown beyond the smooth one. `capped` lowers alpha there, to where the fastest flicker is
    just gone. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        alpha: float = 40.0,
        backprop: Literal["detached", "full"] = "detached",
        reduction: Literal["mean", "sum"] = "mean",
        order: int = 1,
        t_range: Sequence[int] | None = None,
        capped: bool = True,
    ) -> None:
        if not alpha >= 0:
            raise InputError(f"alpha is {alpha}, it must be at least 0.")
        if order not in (1, 2):
            raise InputError(f"order is {order}, it must be 1 or 2.")
        if t_range is not None and (len(t_range) != 2 or t_range[0] > t_range[1]):
            raise InputError(f"t_range is {list(t_range)}, it must be the lowest and the highest timestep.")
        self.alpha, self.backprop, self.reduction, self.order = alpha, backprop, reduction, order
        self.t_range, self.capped = t_range, capped

    def roughness(self, x0: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b"]:
        """G of each clip; 0 for clips too short to have a difference."""
        if x0.shape[2] <= self.order:
            return 0 * reduce(x0, "b c f h w -> b", "sum")
        return reduce(x0.diff(n=self.order, dim=2).square(), "b c f h w -> b", self.reduction)

    def guided(self, denoise: Denoise, schedule: Schedule) -> Denoise:
        """`denoise`, whose predictions are moved; with alpha 0 the very same."""
        if self.alpha == 0:
            return denoise

        def smoothed(latents: Tensor, t: int) -> Tensor:
            if self.t_range is not None and not self.t_range[0] <= t <= self.t_range[1]:
                return denoise(latents, t)
            alpha_bar = schedule.alpha_bar(t).to(latents.device)
            with torch.enable_grad():
                moving = latents.detach().requires_grad_()
                if self.backprop == "full":
                    epsilon = denoise(moving, t)
                else:
                    with torch.no_grad():
                        epsilon = denoise(latents, t)
                total = self.roughness(to_x0(epsilon, moving, alpha_bar, "epsilon")).sum()
                (gradient,) = torch.autograd.grad(total, moving)
            alpha = self._alpha(latents, alpha_bar / (1 - alpha_bar))
            return epsilon.detach() + alpha * (1 - alpha_bar).sqrt() * gradient

        return smoothed

    def _alpha(self, latents: Float[Tensor, "b c f h w"], snr: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """G is a quadratic form, of which 2 * 4^order / count is the largest eigenvalue of its Hessian."""
        alpha = torch.full_like(snr, self.alpha)
        if not self.capped:
            return alpha
        count = latents[0, :, self.order :].numel() if self.reduction == "mean" else 1
        return alpha.minimum(snr * count / (2 * 4**self.order))
