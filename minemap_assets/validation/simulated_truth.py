"""Yearly tables of a simulated world compared with what is truly there."""

from dataclasses import dataclass

import geopandas as gpd
import shapely

from minemap_assets.geo.vector import EQUAL_AREA, read_geoparquet
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.simulation.world import World
from minemap_assets.tables.assets import POLYGON_TABLE


@dataclass(frozen=True)
class Agreement:
    """Mapped against true mining ground of one country and year (km2), and of a year over all countries (IoU)."""

    country: str
    year: int
    mapped_km2: float
    true_km2: float
    iou: float

    @property
    def error(self) -> float:
        """Mapped minus true area, as a share of the true area."""
        return (self.mapped_km2 - self.true_km2) / self.true_km2 if self.true_km2 else 0.0


def compare(project: Project, world: World, years: tuple[int, ...]) -> list[Agreement]:
    """Agreement of the yearly tables with the truth, by year and country."""
    countries = read_geoparquet(project.lake.open(COUNTRY_BOUNDARIES.ref()).file("boundaries.parquet"))
    rows: list[Agreement] = []
    for year in years:
        partition = project.lake.open(POLYGON_TABLE.ref((str(year),)))
        mapped = _ground(read_geoparquet(partition.file("polygons.parquet")))
        true = _ground(world.truth(year))
        for country in countries.to_crs(EQUAL_AREA).itertuples():
            rows.append(_agreement(str(country.name), year, mapped, true, country.geometry))
    return rows


def _ground(frame: gpd.GeoDataFrame) -> shapely.Geometry:
    projected = frame.geometry.to_crs(EQUAL_AREA)
    return shapely.union_all(shapely.make_valid(projected.to_numpy()))


def _agreement(
    name: str, year: int, mapped: shapely.Geometry, true: shapely.Geometry, country: shapely.Geometry
) -> Agreement:
    ours, theirs = shapely.intersection(mapped, country), shapely.intersection(true, country)
    both, either = shapely.intersection(ours, theirs).area, shapely.union(ours, theirs).area
    return Agreement(name, year, ours.area / 1e6, theirs.area / 1e6, both / either if either else 1.0)


def totals(rows: list[Agreement]) -> list[Agreement]:
    """Agreement by year over all countries; IoU from the summed intersections."""
    result = []
    for year in sorted({r.year for r in rows}):
        of_year = [r for r in rows if r.year == year]
        mapped, true = sum(r.mapped_km2 for r in of_year), sum(r.true_km2 for r in of_year)
        # intersections, recovered from IoU and the two areas: i = iou * (a + b) / (1 + iou)
        both = sum(r.iou * (r.mapped_km2 + r.true_km2) / (1.0 + r.iou) for r in of_year)
        result.append(Agreement("all", year, mapped, true, both / (mapped + true - both) if mapped + true else 1.0))
    return result
