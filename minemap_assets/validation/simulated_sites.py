"""Maps of a simulated world on ground that no model learned from: held-out sites, and sites that nobody labelled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.chips.assets import TRAINING_CHIPS
from minemap_assets.chips.labels import burn
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import EQUAL_AREA, WGS84, read_geoparquet
from minemap_assets.imagery.rules import product_of
from minemap_assets.project.project import Project
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.simulation.world import World
from minemap_assets.sites.assets import SITES
from minemap_assets.sites.cells import SiteCell, site_cells
from minemap_assets.tables.assets import POLYGON_TABLE

Group = Literal["test", "never labelled", "taught"]

SIZES_HA = (0.0, 2.0, 5.0, 20.0)
"""Patches of mining ground by size, from so many hectares on."""

FOUND = 0.5
"""A patch counts as found in a year where the map covers at least this share of it."""


@dataclass(frozen=True)
class SiteGroupScore:
    """Sites of one group in one year (or all): mapped and true area in km2, and the IoU of both."""

    group: str
    year: int | None
    sites: int
    mapped_km2: float
    true_km2: float
    iou: float


@dataclass(frozen=True)
class SizeClass:
    """Patches of a size (hectares from `low` on, below `high`) in all years, and how many of them the map found."""

    low: float
    high: float
    patches: int
    found: int


@dataclass(frozen=True, eq=False)
class _Piece:
    """What is mapped and true on the ground of one site in one year, in equal-area metres."""

    site_id: str
    group: Group
    year: int
    mapped: shapely.Geometry
    true: shapely.Geometry


@dataclass(frozen=True)
class HeldOutTruth:
    """The ground of every site of a project on a simulated world, by what the model knew of it."""

    project: Project
    world: World
    years: tuple[int, ...]
    cells: Mapping[str, Mapping[str, SiteCell]]
    groups: Mapping[str, Group]

    @classmethod
    def of(cls, project: Project, world: World, years: Sequence[int]) -> "HeldOutTruth":
        """Sites of all regions; what is not on a side of the split was never labelled."""
        cells: dict[str, Mapping[str, SiteCell]] = {}
        groups: dict[str, Group] = {}
        for slug in project.active_regions():
            sites = read_geoparquet(project.lake.open(SITES.ref((slug,))).file("sites.parquet"))
            cells[slug] = site_cells(sites)
            groups |= dict.fromkeys(cells[slug], "never labelled")
        for manifest in project.lake.manifests(TRAINING_CHIPS.room, TRAINING_CHIPS.name):
            index = read_geoparquet(project.lake.open(manifest.ref).file("index.parquet"))
            for row in index.itertuples():
                groups[str(row.site_id)] = "test" if row.split == "test" else "taught"
        return cls(project, world, tuple(years), cells, groups)

    def scores(self) -> list[SiteGroupScore]:
        """Each group over all years, then in each year."""
        pieces = list(self._pieces())
        found = []
        for group in ("test", "never labelled", "taught"):
            own = [piece for piece in pieces if piece.group == group]
            found.append(_score(group, None, own))
            found += [_score(group, year, [p for p in own if p.year == year]) for year in self.years]
        return [score for score in found if score.true_km2 > 0 or score.mapped_km2 > 0]

    def reliability(self) -> Reliability:
        """Probabilities of the masks of test sites against the truth of their year."""
        total = Histogram.empty()
        for slug, cells in self.cells.items():
            for year in self.years:
                truth = self.world.truth(year).to_crs(WGS84)
                shapes = np.asarray(truth.geometry.array, dtype=object)
                masks = self.project.lake.open(RAW_MASKS.ref((slug, str(year))))
                files = dict(read_geoparquet(masks.file("index.parquet"))[["site_id", "file"]].itertuples(index=False))
                for site_id, cell in cells.items():
                    if self.groups[site_id] == "test" and site_id in files:
                        values = read_raster(masks.file(files[site_id])).pixels[0]
                        owned = cell.owned(cell.grid)
                        total = total + Histogram.of(values[owned], burn(shapes, cell.grid)[owned])
        return Reliability.of(total)

    def sizes(self) -> list[SizeClass]:
        """Patches of mining ground in any site and year, by size."""
        highs = (*SIZES_HA[1:], np.inf)
        seen, found = [0] * len(highs), [0] * len(highs)
        ground = shapely.union_all(_equal_area([cell.cell for cells in self.cells.values() for cell in cells.values()]))
        for year in self.years:
            mapped = self._mapped(year)
            true = shapely.union_all(_equal_area(self.world.truth(year).to_crs(WGS84).geometry.array))
            for mine in shapely.get_parts(true):
                if mine.area > 0 and shapely.covers(ground, shapely.point_on_surface(mine)):
                    size = int(np.searchsorted(SIZES_HA, mine.area / 1e4, side="right")) - 1
                    seen[size] += 1
                    found[size] += int(shapely.intersection(mapped, mine).area >= FOUND * mine.area)
        return [SizeClass(*row) for row in zip(SIZES_HA, highs, seen, found, strict=True)]

    def swap_year(self) -> int | None:
        """The first year whose product is another than that of the year before, in any region."""
        for slug in self.cells:
            region = self.project.region(slug)
            products = [product_of(self.project, region, year) for year in self.years]
            for year, before, now in zip(self.years[1:], products, products[1:], strict=False):
                if before != now:
                    return year
        return None

    def _pieces(self) -> Iterator[_Piece]:
        owned = {site: cell for cells in self.cells.values() for site, cell in cells.items()}
        grounds = dict(zip(owned, _equal_area([cell.cell for cell in owned.values()]), strict=True))
        for year in self.years:
            mapped = self._mapped(year)
            true = shapely.union_all(_equal_area(self.world.truth(year).to_crs(WGS84).geometry.array))
            for site, ground in grounds.items():
                ours, theirs = shapely.intersection(mapped, ground), shapely.intersection(true, ground)
                yield _Piece(site, self.groups[site], year, ours, theirs)

    def _mapped(self, year: int) -> shapely.Geometry:
        table = self.project.lake.open(POLYGON_TABLE.ref((str(year),)))
        return shapely.union_all(_equal_area(read_geoparquet(table.file("polygons.parquet")).geometry.array))


def _equal_area(shapes: Sequence[shapely.Geometry]) -> npt.NDArray[np.object_]:
    projected = gpd.GeoSeries(list(shapes), crs=WGS84).to_crs(EQUAL_AREA)
    return np.asarray(shapely.make_valid(projected.to_numpy()), dtype=object)


def _score(group: str, year: int | None, pieces: Sequence[_Piece]) -> SiteGroupScore:
    mapped, true = sum(shapely.area(p.mapped) for p in pieces), sum(shapely.area(p.true) for p in pieces)
    both = sum(shapely.area(shapely.intersection(p.mapped, p.true)) for p in pieces)
    either = mapped + true - both
    sites = len({p.site_id for p in pieces})
    return SiteGroupScore(group, year, sites, mapped / 1e6, true / 1e6, both / either if either else 1.0)
