"""What reference validation and area estimates read from the partitions of other rooms."""

from collections.abc import Iterator, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.chips.assets import TRAINING_CHIPS
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.assets import MINING_POLYGONS, SERIES
from minemap_assets.polygons.countries import country_names
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES, POLYGON_SETS, VALIDATION_POINTS
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.sites.assets import GROUND_TRUTH, OWNED_GROUND, SITES
from minemap_assets.tables.assets import COUNTRY_SUMMARY
from minemap_assets.validation.area_estimation import LabelledSample
from minemap_assets.validation.map_reading import Judged, Places, Points, RegionMap, hit, stored_probabilities
from minemap_assets.validation.points import LabelledPoints, YearMap, YearMasks
from minemap_assets.validation.region_maps import region_grounds, region_map
from minemap_assets.validation.sample_files import SampleDesign, sample_design, sample_labels, sample_names

_TEST = "test"


def labelled_points(context: BuildContext) -> LabelledPoints:
    """The validation points of the project's years, and where they lie."""
    table = read_geoparquet(context.input(VALIDATION_POINTS).file("points.parquet"))
    own = table[table["year"].isin(list(context.project.years()))].reset_index(drop=True)
    return LabelledPoints(own, _places(context, np.asarray(own.geometry, dtype=object)))


def _places(context: BuildContext, points: Points) -> Places:
    owned = {ref.keys[0]: part for ref, part in context.inputs_of(OWNED_GROUND).items()}
    return Places.of(points, region_grounds(context.project.active_regions(), owned))


def _of_year(context: BuildContext, upstream: object, year: int) -> dict[str, Partition]:
    found = context.inputs_of(upstream).items()
    return {ref.keys[0]: part for ref, part in found if ref.keys[1] == str(year)}


def _maps(context: BuildContext, year: int) -> dict[str, RegionMap]:
    return {slug: region_map(part) for slug, part in _of_year(context, MINING_POLYGONS, year).items()}


def yearly_maps(context: BuildContext, points: LabelledPoints) -> Iterator[YearMap]:
    """What our maps and all outlines say of the points of each year; one year's maps are held at a time."""
    outlines = dict(_outlines(context))
    truths = {ref.keys[0]: part for ref, part in context.inputs_of(GROUND_TRUTH).items()}
    labels = _stacked([_labels(part) for part in truths.values()])
    for year in sorted({int(y) for y in points.table["year"]}):
        here = points.places.take(points.rows_of([year]))
        yield YearMap("mapped", year, here.judge(_maps(context, year)))
        if truths:
            yield YearMap("ground truth", year, Judged(hit(here.points, labels), here.within(list(truths))))
        for name, polygons in outlines.items():
            yield YearMap(name, year, Judged(hit(here.points, polygons), np.ones(len(here), dtype=bool)))
        for name, polygons in _series(context, year):
            yield YearMap(name, year, Judged(hit(here.points, polygons), np.ones(len(here), dtype=bool)))


def yearly_masks(context: BuildContext, points: LabelledPoints) -> dict[int, YearMasks]:
    """Stored probabilities at the points of each year that has masks."""
    found = {}
    for year in sorted({int(y) for y in points.table["year"]}):
        masks = _of_year(context, RAW_MASKS, year)
        if masks:
            here = points.places.take(points.rows_of([year]))
            found[year] = YearMasks(stored_probabilities(here, masks), here.within(list(masks)))
    return found


def _outlines(context: BuildContext) -> Iterator[tuple[str, Points]]:
    """Every registered polygon set by name; a set says something everywhere."""
    for ref, part in context.inputs_of(POLYGON_SETS).items():
        yield ref.asset, np.asarray(read_geoparquet(part.file("polygons.parquet")).geometry, dtype=object)


def _series(context: BuildContext, year: int) -> Iterator[tuple[str, Points]]:
    """Every series made elsewhere that has the year; where it is silent it says no mine."""
    for ref, part in context.inputs_of(SERIES).items():
        filters = [("year", "==", year)]
        frame = gpd.read_parquet(part.file("polygons.parquet"), columns=["geometry"], filters=filters)
        if len(frame):
            yield ref.asset, np.asarray(frame.geometry, dtype=object)


def _labels(truth: Partition) -> Points:
    frame = read_geoparquet(truth.file("ground_truth.parquet"))
    return np.asarray(frame[frame["layer"] == "labels"].geometry, dtype=object)


def _stacked(parts: list[Points]) -> Points:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=object)


def labelled_samples(context: BuildContext) -> Iterator[LabelledSample]:
    """Every sample of the project, with its labels and what the maps say now of its points."""
    taught = taught_sites(context)
    for name in sample_names(context.project):
        design = sample_design(context.project, name)
        points = gpd.points_from_xy([p.longitude for p in design.points], [p.latitude for p in design.points])
        places = _places(context, np.asarray(points, dtype=object))
        years = {year: _judged(context, places, design, year) for year in {design.start_year, design.end_year}}
        yield LabelledSample(
            name=name,
            design=design,
            labels=sample_labels(context.project, name),
            start=years[design.start_year],
            end=years[design.end_year],
            taught=np.array([point.site_id in taught for point in design.points], dtype=bool),
            whole=set(design.regions) == set(context.project.active_regions()),
        )


def _judged(context: BuildContext, places: Places, design: SampleDesign, year: int) -> Judged:
    """What the maps of the sample's regions say: others may own the same ground, but were not drawn from."""
    return places.judge({slug: found for slug, found in _maps(context, year).items() if slug in design.regions})


def taught_sites(context: BuildContext) -> frozenset[str]:
    """Sites of the blocks that training chips were cut from; test blocks taught nothing."""
    blocks: set[str] = set()
    for part in context.inputs_of(TRAINING_CHIPS).values():
        index = pd.read_parquet(part.file("index.parquet"), columns=["split", "split_group"])
        blocks |= set(index.loc[index["split"] != _TEST, "split_group"].astype(str))
    found: set[str] = set()
    for part in context.inputs_of(SITES).values():
        sites = pd.read_parquet(part.file("sites.parquet"), columns=["site_id", "split_group"])
        found |= set(sites.loc[sites["split_group"].astype(str).isin(blocks), "site_id"].astype(str))
    return frozenset(found)


def mapped_now(context: BuildContext) -> dict[tuple[str, int], float]:
    """Mapped area of each country and year in the tables, in km2; years and countries that were not seen have none."""
    found: dict[tuple[str, int], float] = {}
    for part in context.inputs_of(COUNTRY_SUMMARY).values():
        table = pd.read_parquet(part.file("country_summary.parquet"), columns=["iso3", "year", "area_km2"])
        for row in table.dropna(subset="area_km2").to_dict("records"):
            found[str(row["iso3"]), int(row["year"])] = float(row["area_km2"])
    return found


def names_of_countries(context: BuildContext) -> Mapping[str, str]:
    """Names of countries by code."""
    found = list(context.inputs_of(COUNTRY_BOUNDARIES).values())
    if not found:
        return {}
    boundaries = read_geoparquet(found[0].file("boundaries.parquet"))
    return {code: country.name for code, country in country_names(boundaries).items()}
