"""What the tests of `planet-basemaps` try it on: sites, mosaics, and a source with little patience.

Quads are rendered and served in `planet_world.py`.
"""

import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import geopandas as gpd
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.quad_cache import FOLDER
from minemap_assets.imagery.sources.planet.source import PlanetSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.net.policy import ClientPolicy
from planet_world import BANDS, MosaicSpec, Running, haze, monthly, render_quads

SEASON = SeasonRule().season(2019)
MONTHS = tuple(monthly(2019, month, series="NICFI") for month in (6, 7, 8))
HALF_YEAR = MosaicSpec(
    "planet_medres_normalized_analytic_2018-06_2018-11_mosaic", date(2018, 6, 1), date(2018, 12, 1), series="NICFI"
)
BRISK = ClientPolicy(rate=1000.0, burst=1000, concurrency=4, timeout=1.0, backoff=0.02, deadline=20.0)
"""Patience for a server that is near and falls silent on purpose."""
CALM = replace(BRISK, timeout=20.0)
"""Patience for a near server that answers as fast as a busy machine lets it, so that requests can be counted."""


def site(longitude: float, latitude: float, pixels: int = 120) -> GeoBox:
    """A site's grid around a point."""
    place = Transformer.from_crs(4326, 32630, always_xy=True).transform(longitude, latitude)
    return square_grid(*place, pixels, 32630)


SITES = {"a": site(-0.0135, 1.4883), "b": site(-0.0120, 1.4880), "c": site(-0.0426, 1.4991), "d": site(-0.0140, 1.4893)}
"""Three neighbours that share quads, and one apart."""


def make_world(root: Path) -> None:
    """Render all quads under the sites: of the months July is the clearest by pixels, June by scene metadata."""
    weather = {MONTHS[0].name: haze(0.3), MONTHS[2].name: haze(0.6, 0.5)}
    render_quads(root, [*MONTHS, HALF_YEAR], list(SITES.values()), weather)
    scenes: dict[str, dict[str, list[dict[str, object]]]] = {}
    for spec, cloud in zip(MONTHS, (1, 20, 40), strict=True):
        for path in (root / spec.id).glob("*.tif"):
            scene = {"id": f"{spec.start}-{path.stem}", "cloud_percent": cloud, "heavy_haze_percent": 0}
            scenes.setdefault(spec.id, {})[path.stem] = [scene]
    (root / "scenes.json").write_text(json.dumps(scenes))


def source(
    server: Running, cache: Path, policy: ClientPolicy = CALM, limit: float = math.inf, **settings: object
) -> PlanetSource:
    """The source under test, which keeps what it fetches below `cache`."""
    places = {"base_url": server.base_url, "tiles_url": server.tiles_url}
    config = PlanetConfig.model_validate(places | settings)
    return PlanetSource("planet-nicfi", config, KeptFiles(cache, limit), policy=policy)


def kept_quads(cache: Path, mosaic: MosaicSpec = HALF_YEAR) -> Path:
    """Where the quads of a mosaic are kept below `cache`."""
    return cache / FOLDER / mosaic.id


def frame(sites: dict[str, GeoBox]) -> gpd.GeoDataFrame:
    """Sites as the room sites stores them."""
    rows = []
    for name, grid in sites.items():
        place = to_columns(grid)
        rows.append(
            {
                "site_id": name,
                "crs": place.crs,
                "transform": list(place.transform),
                "width": place.width,
                "height": place.height,
                "geometry": footprint_wgs84(grid),
            }
        )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


def build(lake: Lake, planet: PlanetSource, season: Season = SEASON) -> Manifest:
    """Build the imagery of all sites."""
    ref = PartitionRef("imagery", "imagery", ("test", str(season.year)))
    manifest, _ = build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda writer: build_imagery(frame(SITES), [planet], season, BANDS, 0.5, writer, workers=2),
    )
    return manifest


def quads_under(grids: list[GeoBox], spec: MosaicSpec) -> set[str]:
    """Ids of the quads that some grids touch."""
    return {str(quad) for grid in grids for quad in spec.quads.touching(grid)}
