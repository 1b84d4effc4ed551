"""Which rasters go with the dataset: none unless they are asked for, and of restricted sources only with an override.

Rasters are most of a project's bytes, and stay in the lake; composites belong to their sources, whose terms may forbid
passing them on. Probability masks are results of the project, so that only their size keeps them out.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import from_columns
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.build import INDEX
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.requests import imagery_grid
from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.published import by_region, by_region_and_year
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.segmentation.masks import INDEX as MASK_INDEX
from minemap_assets.sites.assets import SITES

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from shapely.geometry.base import BaseGeometry


class Kind(StrEnum):
    """What rasters are; also the folder they lie in."""

    IMAGERY = "imagery"
    MASKS = "masks"


@dataclass(frozen=True)
class Wanted:
    """Which rasters a person asked for; `restricted` ones only with the override."""

    imagery: bool = False
    masks: bool = False
    restricted: bool = False


@dataclass(frozen=True, eq=False)
class Raster:
    """One site's raster in one year: its row of the index, its window in EPSG:4326, its grid (None where the site is no
    longer known), and the partition that holds it.
    """

    kind: Kind
    region: str
    year: int
    row: Mapping[str, Any]
    window: "BaseGeometry"
    grid: "GeoBox | None"
    partition: Partition

    @property
    def site_id(self) -> str:
        """The site that it shows."""
        return str(self.row["site_id"])

    @property
    def file(self) -> str:
        """Its name inside its partition."""
        return str(self.row["file"])

    @property
    def place(self) -> str:
        """Its path in the folder of the dataset."""
        return f"{self.kind}/{self.region}/{self.year}/{self.file}"

    @property
    def bytes(self) -> int:
        """Its size."""
        return next(one.bytes for one in self.partition.manifest.files if one.name == self.file)

    @property
    def restricted(self) -> bool:
        """True where the terms of its source forbid passing its pixels on."""
        return self.kind is Kind.IMAGERY and not bool(self.row["redistributable"])

    @property
    def terms(self) -> str:
        """The terms of use of its pixels; empty for a mask, which is the project's own."""
        return (str(self.row["terms"]) or "terms unknown") if self.kind is Kind.IMAGERY else ""

    def left_out(self, wanted: Wanted) -> str:
        """Why its pixels are not in the folder, in a sentence; empty where they are."""
        if self.restricted and not (wanted.imagery and wanted.restricted):
            return f"The terms of use of these pixels do not allow passing them on ({self.terms})."
        if not (wanted.imagery if self.kind is Kind.IMAGERY else wanted.masks):
            return f"This export was made without them; `minemap export --with-{self.kind}` includes them."
        return ""


def rasters(context: InputContext) -> Iterator[Raster]:
    """Every composite and mask of the project, by kind, region, year and site."""
    grids = {
        (region, str(row["site_id"])): from_columns(row["crs"], row["transform"], row["width"], row["height"])
        for region, part in by_region(context, SITES).items()
        for row in _rows(part.file("sites.parquet"))
    }
    for kind, asset, index in ((Kind.IMAGERY, COMPOSITES, INDEX), (Kind.MASKS, RAW_MASKS, MASK_INDEX)):
        for (region, year), part in by_region_and_year(context, asset).items():
            for row in sorted(_rows(part.file(index)), key=lambda one: str(one["site_id"])):
                grid = grids.get((region, str(row["site_id"])))
                own = _grid_of(grid, kind, str(row["product"])) if grid is not None else None
                yield Raster(kind, region, year, row, row["geometry"], own, part)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in read_geoparquet(path).to_dict("records")]


def _grid_of(site_grid: "GeoBox", kind: Kind, product: str) -> "GeoBox | None":
    if kind is Kind.MASKS:
        return site_grid
    known = PRODUCTS.get(product)
    return None if known is None else imagery_grid(site_grid, known.resolution)


def refuse_restricted(found: Iterable[Raster], wanted: Wanted) -> None:
    """Raise `BadInputError` where imagery is asked for and the terms of some forbid passing it on."""
    if not wanted.imagery or wanted.restricted:
        return
    held = [one for one in found if one.restricted]
    if not held:
        return
    terms = "; ".join(sorted({f"{one.row['product']} from {one.row['source']}: {one.terms}" for one in held}))
    count = f"{len(held):,} composite{'' if len(held) == 1 else 's'}"
    raise BadInputError(
        f"{count} may not be passed on ({terms}); leave out --with-imagery, or say --include-restricted "
        "where you have the right to hold and hand on these pixels"
    )


def copy_rasters(
    found: Iterable[Raster],
    wanted: Wanted,
    facts: Mapping[str, str],
    folder: Path,
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Copy the rasters that are wanted into the folder, each with a file beside it that says what it is; returns how
    many. `tell` hears how many were copied.
    """
    count = 0
    for one in found:
        if one.left_out(wanted):
            continue
        target = folder / one.place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one.partition.file(one.file), target)
        target.with_name(f"{target.name}.aux.xml").write_text(_beside(one, facts), encoding="utf-8")
        count += 1
        tell(count)
    return count


def _beside(one: Raster, facts: Mapping[str, str]) -> str:
    """What GDAL shows as the raster's metadata (`.aux.xml`), so that its own bytes stay those that were published."""
    told = dict(facts)
    if one.kind is Kind.IMAGERY:
        told["licence"] = f"terms of use of these pixels: {one.terms}"
        told["pixels_may_be_passed_on"] = (
            "no: this copy is for whoever has the right to it" if one.restricted else "yes"
        )
    root = ElementTree.Element("PAMDataset")
    metadata = ElementTree.SubElement(root, "Metadata")
    for name, text in told.items():
        ElementTree.SubElement(metadata, "MDI", {"key": name}).text = text
    ElementTree.indent(root, " ")
    return f"{ElementTree.tostring(root, encoding='unicode')}\n"
