"""What source continuity looks at, from partitions as the rooms before publish them."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders
from minemap_assets.project.regions import Region
from minemap_assets.validation.comparison import Place
from minemap_assets.validation.region_masks import Published, region_masks

ONE, TWO = "planet-nicfi", "sentinel-2-l2a"
REGION = Region("north", "North", shapely.box(-60, -10, -50, 0))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


def published(lake: Lake, room: str, asset: str, *keys: str, put: Callable[[PartitionWriter], None]) -> Partition:
    def build(writer: PartitionWriter) -> Outcome:
        put(writer)
        return Outcome()

    ref = PartitionRef(room, asset, keys)
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def table(name: str, frame: gpd.GeoDataFrame) -> Callable[[PartitionWriter], None]:
    return lambda writer: writer.write(name, lambda path: write_geoparquet(frame, path))


def sites() -> gpd.GeoDataFrame:
    rows = []
    for number in range(4):
        grid = square_grid(500_000.0 + 2000 * number, 9_300_000.0, 64, 32721)
        outline = footprint_wgs84(grid)
        middle = {"longitude": outline.centroid.x, "latitude": outline.centroid.y}
        facts = {"site_id": f"m{number}", "split_group": f"g{number}", "outline_km2": 0.5 + number}
        rows.append({**facts, **middle, **vars(to_columns(grid)), "geometry": outline})
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


def chips(lake: Lake, product: str, splits: dict[str, str], mine: float = 0.5) -> Partition:
    frame = sites().set_index("site_id").loc[list(splits)].reset_index()
    frame = frame[["site_id", "split_group", "geometry"]].assign(
        chip=range(len(splits)), split=list(splits.values()), mine_fraction=mine
    )

    def put(writer: PartitionWriter) -> None:
        table("index.parquet", frame)(writer)
        attributes = {"product": product, "bands": ["red"], "size": 64}
        path = writer.path("chips.zarr/zarr.json")
        path.write_text(json.dumps({"attributes": attributes}))
        writer.add("chips.zarr")

    return published(lake, "chips", "training_chips", product, "north", put=put)


def gathered(lake: Lake, mine: float = 0.5) -> dict[str, Place]:
    frame = sites()
    images = frame[["site_id", "geometry"]].assign(processing_baseline=["05.09", "", None, "05.10"])
    half = shapely.box(-60, -10, frame["longitude"].mean(), 0)
    countries = gpd.GeoDataFrame({"iso3": ["AAA"]}, geometry=[half], crs=WGS84)
    masks = published(lake, "segmentation", "reference_masks", TWO, "north", put=table("index.parquet", frame))
    found = Published(
        sites={"north": published(lake, "sites", "sites", "north", put=table("sites.parquet", frame))},
        owned={"north": published(lake, "sites", "owned_ground", "north", put=table("owned_ground.parquet", frame))},
        masks={(ONE, "north"): masks, (TWO, "north"): masks, (TWO, "gone"): masks},
        chips={
            (ONE, "north"): chips(lake, ONE, {"m0": "test", "m1": "train"}, mine),
            (TWO, "north"): chips(lake, TWO, {"m0": "test", "m1": "train", "m2": "validation"}, mine),
        },
        imagery={(TWO, "north"): published(lake, "imagery", "images", put=table("index.parquet", images))},
        borders=Borders(countries, 0.1),
    )
    (made,) = region_masks({"north": REGION}, found)
    assert (made.slug, set(made.masks), set(made.cells)) == ("north", {ONE, TWO}, {"m0", "m1", "m2", "m3"})
    assert made.boundary is REGION.geometry
    assert made.baselines == {TWO: {"m0": "05.09", "m1": "", "m2": "", "m3": "05.10"}}
    return dict(made.places)


def test_a_site_is_held_out_where_its_chips_were_tested_on(lake: Lake) -> None:
    assert gathered(lake) == {
        "m0": Place("g0", held_out=True, outline_km2=0.5, country_iso3="AAA"),
        "m1": Place("g1", held_out=False, outline_km2=1.5, country_iso3="AAA"),
        "m2": Place("g2", held_out=False, outline_km2=2.5, country_iso3=""),
        "m3": Place("g3", held_out=False, outline_km2=3.5, country_iso3=""),
    }


def test_without_labelled_mines_no_site_speaks_as_held_out(lake: Lake) -> None:
    assert not any(place.held_out for place in gathered(lake, mine=0.0).values())
