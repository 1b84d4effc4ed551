"""Builds of the chips room: site images cut into chips, with labels and split for training."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.labels import IGNORE, LabelSource
from minemap_assets.chips.resample import resample_tile
from minemap_assets.chips.split import Split, split_groups
from minemap_assets.chips.store import ChipStore
from minemap_assets.chips.tiling import Tile, tiles
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.imagery.not_observed import NO_IMAGE, read_not_observed, write_not_observed
from minemap_assets.lake.manifests import Missing, Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.sites.windows import Site, iter_sites

if TYPE_CHECKING:
    from minemap_assets.imagery.reader import ImagerySet

CHIPS = "chips.zarr"
INDEX = "index.parquet"


@dataclass(frozen=True, eq=False)
class Cut:
    """One chip: where it lies, its pixels uint16 (band, row, column) and the share of them that was observed."""

    site: Site
    tile: Tile
    pixels: npt.NDArray[np.uint16]
    observed_fraction: float


@dataclass
class _Tally:
    rows: list[dict[str, Any]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    empty: int = 0


def build_chips(
    sites: gpd.GeoDataFrame,
    imagery: "ImagerySet",
    config: ChipsConfig,
    writer: PartitionWriter,
    *,
    ground_truth: gpd.GeoDataFrame | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Write `chips.zarr`, `index.parquet` and `not_observed.parquet` of a region and year; with ground truth, labels
    (0, 1, 255 = not observed) and a split for every chip.

    Sites that the imagery does not observe are left out and reported missing with its reason; chips with no observed
    pixel are counted and left out. The split comes from all sites, with or without an image, so that no product changes
    it. Raises `BadInputError` where the images lack a band.
    """
    labels = None if ground_truth is None else LabelSource(ground_truth)
    every = list(iter_sites(sites))
    product = imagery.product
    splits = split_groups(_group_weights(every, labels), config.seed, config.validation_share, config.test_share)
    tally = _Tally()
    upper = sum(len(tiles(site.grid, config.size, config.overlap)) for site in every)
    store = ChipStore.create(writer.path(CHIPS), product, config.bands, config.size, upper, labelled=labels is not None)
    unseen = _unseen(every, imagery)
    for done, site in enumerate(every):
        if site.site_id in unseen:
            tally.missing.append(Missing(item=site.site_id, reason=unseen[site.site_id], retry=False))
        else:
            for cut in cut_site(site, imagery, config, tally):
                _put(cut, store, labels, splits, tally)
        progress(done + 1, len(every), "cutting site")
    store.finish(len(tally.rows))
    writer.add(CHIPS)
    writer.write(INDEX, lambda path: write_geoparquet(_frame(tally.rows, labelled=labels is not None), path))
    write_not_observed(unseen, writer)
    return Outcome(_summary(tally, product, len(every)), tally.missing)


def _unseen(sites: Sequence[Site], imagery: "ImagerySet") -> dict[str, str]:
    """Why sites are not observed, by site: too little of some was seen, and others have no image at all."""
    pictured, said = set(imagery.index["site_id"]), read_not_observed(imagery.partition)
    ids = [site.site_id for site in sites]
    return {one: said.get(one, NO_IMAGE) for one in ids if one in said or one not in pictured}


BACKGROUND_WEIGHT = 0.02
"""What a pixel that is no mine weighs in a split, beside one that is."""


def _group_weights(sites: Sequence[Site], labels: LabelSource | None) -> dict[str, int]:
    """Size of each split group: mostly its mining ground, so that one huge mine cannot take a small split alone.

    Labels are counted whether or not an image shows them, so that no product changes the split.
    """
    weights: dict[str, int] = {}
    for site in sites:
        mine = int(labels.rasterize(site.grid).sum()) if labels is not None else 0
        pixels = int(site.grid.shape[0] * site.grid.shape[1])
        weights[site.split_group] = weights.get(site.split_group, 0) + mine + round(BACKGROUND_WEIGHT * pixels)
    return weights


def cut_site(site: Site, imagery: "ImagerySet", config: ChipsConfig, tally: _Tally) -> Iterator[Cut]:
    """Chips of one site that hold an observed pixel, in order; the others are counted."""
    image = imagery.read(site.site_id)
    order = _band_order(image.bands, config.bands)
    for tile in tiles(site.grid, config.size, config.overlap):
        pixels = resample_tile(image.pixels[order], image.grid, tile.grid(site.grid))
        seen = float(np.count_nonzero(pixels[0]) / pixels[0].size)
        if seen == 0.0:
            tally.empty += 1
        else:
            yield Cut(site, tile, pixels, seen)


def _put(cut: Cut, store: ChipStore, labels: LabelSource | None, splits: dict[str, Split], tally: _Tally) -> None:
    chip = len(tally.rows)
    grid = cut.tile.grid(cut.site.grid)
    row: dict[str, Any] = {
        "chip": chip,
        "site_id": cut.site.site_id,
        "row": cut.tile.row,
        "column": cut.tile.column,
        "observed_fraction": cut.observed_fraction,
        **asdict(to_columns(grid)),
        "geometry": footprint_wgs84(grid),
    }
    row["transform"] = list(row["transform"])
    truth = None
    if labels is not None:
        truth = np.where(cut.pixels[0] > 0, labels.rasterize(grid), np.uint8(IGNORE))
        row["split"] = splits[cut.site.split_group]
        row["split_group"] = cut.site.split_group
        row["mine_fraction"] = float(np.count_nonzero(truth == 1) / np.count_nonzero(truth != IGNORE))
    store.put(chip, cut.pixels, truth)
    tally.rows.append(row)


def _band_order(there: Sequence[str], wanted: Sequence[str]) -> list[int]:
    lacking = [band for band in wanted if band not in there]
    if lacking:
        raise BadInputError(
            f"the images have no band {', '.join(lacking)} (they have {', '.join(there)}); leave it out of [chips] "
            "bands or add it to the bands of [imagery]"
        )
    return [list(there).index(band) for band in wanted]


def _frame(rows: list[dict[str, Any]], *, labelled: bool) -> gpd.GeoDataFrame:
    kinds = {
        "chip": "int64",
        "site_id": "str",
        "row": "int64",
        "column": "int64",
        "observed_fraction": "float64",
        "crs": "str",
        "transform": "object",
        "width": "int64",
        "height": "int64",
    }
    if labelled:
        kinds |= {"split": "str", "split_group": "str", "mine_fraction": "float64"}
    frame = gpd.GeoDataFrame(rows, columns=[*kinds, "geometry"], geometry="geometry", crs=WGS84)
    return frame.astype(kinds)


def _summary(tally: _Tally, product: str, sites: int) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "chips": len(tally.rows),
        "sites": sites,
        "sites_not_observed": len(tally.missing),
        "empty_chips_left_out": tally.empty,
        "product": product,
    }
    if tally.rows and "split" in tally.rows[0]:
        for split in ("train", "validation", "test"):
            facts[f"chips_{split}"] = sum(1 for row in tally.rows if row["split"] == split)
        facts["chips_with_mine"] = sum(1 for row in tally.rows if row["mine_fraction"] > 0)
    return facts
