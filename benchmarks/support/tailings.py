"""Real images of tailings as labelled chips: what a model learns from, and what it is judged by.

The folder holds `img_tiff`, `mask_tiff` and `groups.csv`, which says which images show the same ground.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.resample import double
from minemap_assets.chips.store import ChipStore
from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.planning.source_settings import WIDE

SIDE, CHIP, OVERLAP, FINER = 448, WIDE, 64, 2
"""Images of 448 pixels of 10 m become chips of 5 m pixels, as large as `minemap init` sets them for such images."""

BANDS = ("blue", "green", "red")
PRODUCT = "sentinel-2-l2a"
UTM = 32723


@dataclass(frozen=True, eq=False)
class Picture:
    """An image: reflectance x 10,000 uint16 (band, row, column) and mask uint8 (row, column) of 10 m pixels."""

    name: str
    group: str
    pixels: npt.NDArray[np.uint16]
    mask: npt.NDArray[np.uint8]


def read_pictures(folder: Path) -> list[Picture]:
    """All whole images, in the order of their numbers; one in the shared set is malformed and left out."""
    with (folder / "groups.csv").open() as table:
        groups = {row["i"]: row["g"] for row in csv.DictReader(table)}
    found = []
    for path in sorted((folder / "img_tiff").glob("img_*.tif"), key=lambda p: int(p.stem.split("_")[1])):
        number = path.stem.split("_")[1]
        with rasterio.open(path) as image, rasterio.open(folder / "mask_tiff" / f"mask_{number}.tif") as mask:
            pixels, labels = image.read(), mask.read(1)
        if pixels.shape == (len(BANDS), SIDE, SIDE):
            stored = np.clip(np.nan_to_num(pixels) * 10_000, 0, 30_000).round().astype(np.uint16)
            found.append(Picture(number, groups[number], stored, (labels > 0).astype(np.uint8)))
    return found


def fold_of(pictures: Sequence[Picture], folds: int) -> list[int]:
    """The fold of each image; groups stay whole, and are dealt out from the largest on."""
    sizes: dict[str, int] = {}
    for picture in pictures:
        sizes[picture.group] = sizes.get(picture.group, 0) + 1
    held = [0] * folds
    chosen = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], int(name))):
        chosen[group] = held.index(min(held))
        held[chosen[group]] += sizes[group]
    return [chosen[picture.group] for picture in pictures]


def chip_set(folder: Path, pictures: Sequence[Picture], split: str = "train", size: int = CHIP) -> ChipSet:
    """Labelled chips of `size` pixels of 5 m of images, each a site of its own."""
    rows: list[dict[str, object]] = []
    cut = tiles(square_grid(0.0, 0.0, SIDE * FINER, UTM), size, OVERLAP)
    store = ChipStore.create(folder, PRODUCT, BANDS, size, len(cut) * len(pictures), labelled=True)
    for number, picture in enumerate(pictures):
        site = square_grid(300_000.0 + 10_000.0 * number, 7_800_000.0, SIDE * FINER, UTM)
        pixels, labels = double(picture.pixels), np.kron(picture.mask, np.ones((FINER, FINER), np.uint8))
        for tile in cut:
            here = np.s_[tile.row : tile.row + size, tile.column : tile.column + size]
            store.put(len(rows), pixels[:, *here], labels[here])
            columns = to_columns(tile.grid(site))
            rows.append(
                {
                    "chip": len(rows),
                    "site_id": f"image-{picture.name}",
                    "row": tile.row,
                    "column": tile.column,
                    "observed_fraction": 1.0,
                    "crs": columns.crs,
                    "transform": list(columns.transform),
                    "width": size,
                    "height": size,
                    "split": split,
                    "split_group": picture.group,
                    "mine_fraction": float((labels[here] == 1).mean()),
                    "geometry": footprint_wgs84(tile.grid(site)),
                }
            )
    store.finish(len(rows))
    index = gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)
    return ChipSet(f"training_chips[{PRODUCT}]", index, folder, {})


@dataclass(frozen=True)
class Score:
    """Agreement over images: pixels of all together, and the mean of the images' own."""

    pooled: float
    mean: float
    low: float
    high: float


def score(said: Sequence[npt.NDArray[np.bool_]], pictures: Sequence[Picture], seed: int = 0) -> Score:
    """IoU of masks (row, column) with the images' own, and the 95 % interval of the pooled one over images."""
    both = np.array([(s & (p.mask == 1)).sum() for s, p in zip(said, pictures, strict=True)])
    either = np.array([(s | (p.mask == 1)).sum() for s, p in zip(said, pictures, strict=True)])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(both), size=(2000, len(both)))
    pooled = both[drawn].sum(axis=1) / np.maximum(either[drawn].sum(axis=1), 1)
    low, high = np.percentile(pooled, [2.5, 97.5])
    each = both / np.maximum(either, 1)
    return Score(float(both.sum() / either.sum()), float(each.mean()), float(low), float(high))


def coarser(values: Iterable[npt.NDArray[np.floating]]) -> list[npt.NDArray[np.floating]]:
    """Means of 5 m pixels (row, column) as 10 m pixels."""
    return [v.reshape(SIDE, FINER, SIDE, FINER).mean(axis=(1, 3)) for v in values]
