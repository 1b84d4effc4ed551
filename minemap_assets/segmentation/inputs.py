"""From stored chips to what a network reads, on the device. Imports torch: import it late."""

import torch
from torch.nn import functional

from minemap_assets.segmentation.normalisation import LIMIT, Normalisation


def reduced(pixels: torch.Tensor, reduction: int) -> torch.Tensor:
    """Mean of each square of `reduction` x `reduction` pixels that were observed: (crop, band, row, column) of any
    type to float32; 0 = none of them was observed. What is left over at the lower right is cut off.
    """
    values = pixels.float()
    if reduction == 1:
        return values
    total, seen = _sums(values, reduction), _sums((values > 0).to(torch.uint8), reduction)
    return torch.where(seen > 0, total / seen.clamp_min(1), torch.zeros_like(total))


def _sums(values: torch.Tensor, side: int) -> torch.Tensor:
    """Sum of each square of `side` x `side` values; pooling gives the same and takes five times as long on a CPU."""
    height, width = (int(n) // side * side for n in values.shape[-2:])
    rows = values[..., 0:height:side, :width].clone()
    for row in range(1, side):
        rows += values[..., row:height:side, :width]
    total = rows[..., 0::side].clone()
    for column in range(1, side):
        total += rows[..., column::side]
    return total


def normalised(values: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Reflectance x 10,000 (crop, band, row, column) as network input; 0 (not observed) becomes 0.

    `mean` and `spread` are those of `moments`, for all crops or one a crop.
    """
    scaled = ((values - mean) / spread).clamp(-LIMIT, LIMIT)
    return torch.where(values > 0, scaled, torch.zeros_like(scaled))


def moments(normalisation: Normalisation, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and spread as (1, band, 1, 1)."""
    mean, spread = (
        torch.tensor(v, dtype=torch.float32, device=device) for v in (normalisation.mean, normalisation.spread)
    )
    return mean[None, :, None, None], spread[None, :, None, None]


def enlarged(margin: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Margins (crop, row, column) at the chip's own resolution, between pixels by bilinear interpolation."""
    if (int(margin.shape[-2]), int(margin.shape[-1])) == size:
        return margin
    return functional.interpolate(margin[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
