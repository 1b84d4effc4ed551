"""Augmentation on the device: other seasons, hazes, sensors and directions than those trained on. Imports torch: import
it late.

Everything is drawn from the seed and the step alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from minemap_assets.imagery.products import SCALE
from minemap_assets.segmentation.recipes import Augmentation

DARK = 0.12
"""Reflectance that gamma leaves as it is: a usual one of land."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Example:
    """Stored numbers float32 (crop, band, row, column), 0 = not observed; the share that is mine float32, and whether
    that is known bool (crop, row, column).
    """

    pixels: torch.Tensor
    mine: torch.Tensor
    known: torch.Tensor


def augment(example: Example, recipe: Augmentation, seed: int, step: int, light: Sequence[bool] = ()) -> Example:
    """Turn, enlarge and recolour a batch; pixels that were not observed stay 0 and their label is not known.

    `light` says of each crop whether its numbers are reflectance (all are where it is empty): others keep their colour.
    """
    rng = np.random.default_rng([seed, step, 1])
    turned = _turned(example, recipe, rng)
    turned = Example(_coarsened(turned.pixels, recipe.coarse_share, rng), turned.mine, turned.known)
    noise = torch.Generator(turned.pixels.device).manual_seed(int(rng.integers(2**62)))
    pixels = _recoloured(turned.pixels, recipe, rng, noise)
    if not all(light):
        lit = torch.tensor(list(light), device=pixels.device)[:, None, None, None]
        pixels = torch.where(lit, pixels, turned.pixels)
    return Example(pixels, turned.mine, turned.known & (pixels[:, 0] > 0))


def _turned(example: Example, recipe: Augmentation, rng: np.random.Generator) -> Example:
    count = len(example.pixels)
    mirrored = rng.random(count) < 0.5
    quarters, angles = rng.integers(4, size=count), rng.uniform(0.0, 2.0 * math.pi, count)
    scales = np.exp(rng.uniform(math.log(recipe.scale_low), math.log(recipe.scale_high), count))
    mirrored &= recipe.flips
    if recipe.rotation != "any" and recipe.scale_low == recipe.scale_high == 1.0:
        turns = quarters if recipe.rotation == "quarters" else np.zeros(count, dtype=np.int64)
        return _laid_down(example, turns, mirrored)
    angle = {"none": np.zeros(count), "quarters": quarters * (math.pi / 2.0), "any": angles}[recipe.rotation]
    return _resampled(example, _grid(example, angle, scales, mirrored))


def _laid_down(example: Example, turns: npt.NDArray[np.int64], mirrored: npt.NDArray[np.bool_]) -> Example:
    """Without resampling: one of the eight ways to lay a square down."""

    def lay(values: torch.Tensor) -> torch.Tensor:
        laid = [torch.rot90(value, int(turn), (-2, -1)) for value, turn in zip(values, turns, strict=True)]
        return torch.stack([one.flip(-1) if flip else one for one, flip in zip(laid, mirrored, strict=True)])

    return Example(lay(example.pixels), lay(example.mine), lay(example.known))


def _grid(example: Example, angle: Floats, scale: Floats, mirrored: npt.NDArray[np.bool_]) -> torch.Tensor:
    """Where each pixel of the new crops is taken from (Spatial Transformer Networks, Jaderberg et al. 2015)."""
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    side, nothing = np.where(mirrored, -1.0, 1.0), np.zeros(len(angle))
    rows = np.stack([[cosine * side, -sine, nothing], [sine * side, cosine, nothing]]).transpose(2, 0, 1)
    theta = torch.from_numpy(rows.astype(np.float32)).to(example.pixels.device)
    count, height, width = example.mine.shape
    return functional.affine_grid(theta, [count, 1, height, width], align_corners=False)


def _resampled(example: Example, grid: torch.Tensor) -> Example:
    """Between pixels by bilinear interpolation of what was observed; beyond the edge the crop is mirrored."""
    # a pixel is observed in all bands or in none
    seen = (example.pixels[:, :1] > 0).float()
    known = example.known.float()[:, None]
    bands = example.pixels.shape[1]
    together = torch.cat([example.pixels, seen, example.mine[:, None] * known, known], dim=1)
    taken = functional.grid_sample(together, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    values, weight = taken[:, :bands], taken[:, bands : bands + 1]
    mine, share = taken[:, -2], taken[:, -1]
    pixels = torch.where(weight >= 0.5, values / weight.clamp_min(0.5), torch.zeros_like(values))
    return Example(pixels, mine / share.clamp_min(0.5), share >= 0.5)


def _coarsened(pixels: torch.Tensor, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Some crops as a sensor of half the resolution would show them: a model of several products meets both."""
    chosen = rng.random(len(pixels)) < share
    if not chosen.any():
        return pixels
    place = torch.from_numpy(np.flatnonzero(chosen)).to(pixels.device)
    some = pixels[place]
    small = functional.avg_pool2d(some, 2, ceil_mode=True, count_include_pad=False)
    wide = functional.avg_pool2d((some > 0).float(), 2, ceil_mode=True, count_include_pad=False)
    mean = small / wide.clamp_min(1e-6)
    size = [int(side) for side in pixels.shape[-2:]]
    smooth = functional.interpolate(mean, size=size, mode="bilinear", align_corners=False)
    # what lies beside a hole is left as it is
    whole = functional.interpolate(wide, size=size, mode="bilinear", align_corners=False) > 0.999
    return pixels.index_copy(0, place, torch.where(whole & (some > 0), smooth, some))


def _recoloured(
    pixels: torch.Tensor, recipe: Augmentation, rng: np.random.Generator, noise: torch.Generator
) -> torch.Tensor:
    """A factor for all bands and one a band, an exponent, a shift a band, and noise a pixel."""
    count, bands = pixels.shape[:2]

    def drawn(spread: float, channels: int) -> torch.Tensor:
        values = rng.normal(0.0, spread, (count, channels, 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(pixels.device)

    factor = torch.exp(drawn(recipe.brightness, 1) + drawn(recipe.gain, bands))
    exponent, shift = torch.exp(drawn(recipe.gamma, 1)), drawn(recipe.offset, bands) * SCALE
    amount = drawn(recipe.noise, 1).abs() * SCALE
    values = pixels * factor
    if recipe.gamma:
        values = (values.clamp_min(1.0) / (DARK * SCALE)) ** exponent * (DARK * SCALE)
    values = values + shift
    if recipe.noise:
        values = values + amount * torch.randn(pixels.shape, generator=noise, device=pixels.device)
    return torch.where(pixels > 0, values.clamp_min(1.0), torch.zeros_like(values))
