"""Source continuity: the reference year as two products show it, on the same pixels.

A series that changes its product is only as good as their agreement: the area ratio says by how much mapped areas jump
at the swap for no reason on the ground, IoU whether the same ground is meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet, write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine

FILE = "source_continuity.parquet"
COLUMNS = ("region", "site_id", "product", "other_product", "observed_km2", "area_km2", "other_km2", "both_km2")


@dataclass(frozen=True, eq=False)
class SiteMask:
    """A site's mask in one product: mine and observed (row, column), and the area of a pixel in km2."""

    mine: npt.NDArray[np.bool_]
    observed: npt.NDArray[np.bool_]
    pixel_km2: float


def site_masks(masks: Partition) -> dict[str, SiteMask]:
    """Masks of a reference_masks partition at its own operating point, by site."""
    found = {}
    for row in read_geoparquet(masks.file("index.parquet")).itertuples():
        raster = read_raster(masks.file(str(row.file)))
        stored = raster.pixels[0]
        observed = stored != NOT_OBSERVED
        mine = observed & is_mine(stored, float(row.threshold))
        affine = raster.grid.affine
        found[str(row.site_id)] = SiteMask(mine, observed, abs(affine.a * affine.e) / 1e6)
    return found


def compare(region: str, products: Mapping[str, Mapping[str, SiteMask]]) -> Iterator[Mapping[str, Any]]:
    """A row for each site that two products show, over the ground both observed."""
    for one, other in combinations(sorted(products), 2):
        for site in sorted(set(products[one]) & set(products[other])):
            a, b = products[one][site], products[other][site]
            seen = a.observed & b.observed
            counts = (seen.sum(), (a.mine & seen).sum(), (b.mine & seen).sum(), (a.mine & b.mine).sum())
            yield dict(zip(COLUMNS, (region, site, one, other, *(float(n) * a.pixel_km2 for n in counts)), strict=True))


def build_source_continuity(masks: Mapping[tuple[str, str], Partition], writer: PartitionWriter) -> Outcome:
    """Write `source_continuity.parquet` from the reference masks by (product, region)."""
    rows: list[Mapping[str, Any]] = []
    for region in sorted({region for _, region in masks}):
        rows += compare(region, {p: site_masks(part) for (p, r), part in sorted(masks.items()) if r == region})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["area_ratio"] = frame["other_km2"] / frame["area_km2"].where(frame["area_km2"] > 0)
    frame["iou"] = _iou(frame)
    writer.write(FILE, lambda path: write_parquet(frame, path))
    return Outcome({"rows": len(frame), "sites": int(frame["site_id"].nunique()), "products": _pooled(frame)})


def _iou(frame: pd.DataFrame) -> "pd.Series[float]":
    union = frame["area_km2"] + frame["other_km2"] - frame["both_km2"]
    return frame["both_km2"] / union.where(union > 0)


def _pooled(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Area ratio and IoU over all sites, for each pair of products."""
    pooled = []
    for (one, other), sites in frame.groupby(["product", "other_product"]):
        a, b, both = (float(sites[c].sum()) for c in ("area_km2", "other_km2", "both_km2"))
        union = a + b - both
        pooled.append(
            {
                "product": one,
                "other product": other,
                "area ratio": round(b / a, 4) if a else "none",
                "IoU": round(both / union, 4) if union else "none",
            }
        )
    return pooled
