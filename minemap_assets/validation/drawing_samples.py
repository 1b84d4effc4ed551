"""A sample drawn from what a project has made: its maps of one year or two on the ground of its sites."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.project.project import Project
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.sites.assets import OWNED_GROUND
from minemap_assets.validation.map_reading import Judged, Places, RegionGround, RegionMap
from minemap_assets.validation.region_maps import region_grounds, region_map
from minemap_assets.validation.sample_files import DrawnPoint, DrawnStratum, MapClass, SampleDesign
from minemap_assets.validation.sampling import Allocation, Measured, allocate, draw
from minemap_assets.validation.strata import Countries, TwoMaps, pieces


@dataclass(frozen=True)
class Wanted:
    """What a sample shall be; both years are the same for one year alone."""

    start_year: int
    end_year: int
    size: int
    seed: int
    minimum: int
    allocation: Allocation
    near_m: float


def draw_design(project: Project, slugs: Sequence[str], wanted: Wanted) -> SampleDesign:
    """Draw a sample from the published maps of some regions.

    Raises `BadInputError` where one of their maps was not made, or there is no ground to draw from.
    """
    lake = project.lake
    owned = {slug: found for slug in slugs if (found := lake.find(OWNED_GROUND.ref((slug,)))) is not None}
    grounds = region_grounds({slug: project.region(slug) for slug in slugs}, owned)
    maps = {slug: _two_maps(project, slug, wanted) for slug in slugs}
    boundaries = lake.find(COUNTRY_BOUNDARIES.ref())
    if boundaries is None:
        raise BadInputError("country_boundaries has not been made; make it with `minemap run` before drawing a sample")
    frame = read_geoparquet(boundaries.file("boundaries.parquet"))
    countries = Countries.of(frame, project.section(PolygonsConfig).border_tolerance_km)
    return design_of(grounds, maps, countries, wanted)


def _two_maps(project: Project, slug: str, wanted: Wanted) -> TwoMaps:
    found: dict[int, RegionMap] = {}
    for year in (wanted.start_year, wanted.end_year):
        if year not in found:
            partition: Partition | None = project.lake.find(MINING_POLYGONS.ref((slug, str(year))))
            if partition is None:
                raise BadInputError(
                    f"{slug} has no mining polygons of {year}; make them with `minemap run --select +mining_polygons "
                    f"--regions {slug} --years {year}`, or leave the region out with --regions"
                )
            found[year] = region_map(partition)
    return TwoMaps(found[wanted.start_year], found[wanted.end_year])


def design_of(
    grounds: Sequence[RegionGround], maps: Mapping[str, TwoMaps], countries: Countries, wanted: Wanted
) -> SampleDesign:
    """Draw a sample from maps. Raises `BadInputError` where the regions have no site, or the size is too small."""
    measured = Measured.of(pieces(grounds, maps, countries, wanted.near_m))
    if not measured.strata:
        raise BadInputError("the regions have no ground of a known site to draw from; make sites and maps first")
    counts = allocate(measured.strata, wanted.size, wanted.minimum, wanted.allocation)
    points = draw(measured, counts, wanted.seed)
    places = Places.of(np.asarray(gpd.points_from_xy(points["longitude"], points["latitude"]), dtype=object), grounds)
    start, end = (
        _classes(places.judge({slug: getattr(two, name) for slug, two in maps.items()})) for name in ("start", "end")
    )
    width = max(4, len(str(len(points))))
    return SampleDesign(
        start_year=wanted.start_year,
        end_year=wanted.end_year,
        regions=tuple(sorted(maps)),
        seed=wanted.seed,
        minimum=wanted.minimum,
        allocation=wanted.allocation,
        near_boundary_m=wanted.near_m,
        left_out_km2=measured.slivers_km2,
        strata=tuple(
            DrawnStratum(
                iso3=s.iso3,
                kind=s.kind,
                area_km2=s.area_km2,
                points=count,
                mapped_start_km2=s.mapped_start_km2,
                mapped_end_km2=s.mapped_end_km2,
                mapped_both_km2=s.mapped_both_km2,
            )
            for s, count in zip(measured.strata, counts, strict=True)
        ),
        points=tuple(
            DrawnPoint(
                point_id=f"p{n + 1:0{width}d}",
                longitude=row["longitude"],
                latitude=row["latitude"],
                stratum=row["stratum"],
                region=row["region"],
                site_id=row["site_id"],
                mapped_start=start[n],
                mapped_end=end[n],
            )
            for n, row in enumerate(points.to_dict("records"))
        ),
    )


def _classes(judged: Judged) -> list[MapClass]:
    names: npt.NDArray[np.str_] = np.where(judged.known, np.where(judged.mapped, "mine", "other"), "not observed")
    known: dict[str, MapClass] = {"mine": "mine", "other": "other", "not observed": "not observed"}
    return [known[str(name)] for name in names]
