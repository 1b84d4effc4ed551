"""Parts of a year's tables in tests: regions whose polygons and sites are drawn, and lie in files as the lake holds
them.
"""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import areas_km2
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import (
    CLIPPED_GROUND,
    MINING_POLYGONS,
    POLYGON_COUNTRY_AREA,
    SITE_AREA,
    UNOBSERVED_GROUND,
    TableSpec,
    empty_table,
    write_table,
)
from minemap_assets.project.regions import Region
from minemap_assets.tables.parts import MiningFiles, RegionPart

Box = tuple[float, float, float, float]

COUNTRIES = gpd.GeoDataFrame(
    {
        "iso3": ["XEA", "XWA"],
        "name": ["East", "West"],
        "continent": ["Testia", "Testia"],
        "sovereign_iso3": ["XWA", "XWA"],
        "sovereign_name": ["West", "West"],
    },
    geometry=[shapely.box(10, 0, 20, 10), shapely.box(0, 0, 10, 10)],
    crs="EPSG:4326",
)


@cache
def borders() -> Borders:
    """Those countries, made ready once."""
    return Borders(COUNTRIES)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where the files lie, until the tests end."""
    return tempfile.TemporaryDirectory(prefix="region-parts-")


def area(geometry: BaseGeometry) -> float:
    """Square kilometres."""
    return float(areas_km2(gpd.GeoSeries([geometry], crs="EPSG:4326"))[0])


def site(
    site_id: str,
    longitude: float,
    latitude: float,
    share: float = 1.0,
    area_km2: float | None = None,
    *,
    owned: Box | None = None,
    hidden: Box | None = None,
    clipped: Box | None = None,
    uncorrected: float | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """A site as `part` takes it; its own ground is a box of 0.01 degrees unless it is given."""
    ground = shapely.box(*owned) if owned else shapely.Point(longitude, latitude).buffer(0.005, cap_style="square")
    return {
        "site_id": site_id,
        "longitude": longitude,
        "latitude": latitude,
        "observed_share": share,
        "area_km2": area_km2,
        "uncorrected_km2": area_km2 if uncorrected is None else uncorrected,
        "not_observed_reason": reason,
        "owned": ground,
        "hidden": shapely.box(*hidden) if hidden else None if share > 0.0 else ground,
        "clipped": shapely.box(*clipped) if clipped else None,
    }


def part(
    slug: str,
    bounds: Box,
    polygons: Sequence[Box] = (),
    sites: Sequence[Mapping[str, Any]] = (),
    *,
    year: int = 2019,
    made: bool = True,
    status: str = "final",
) -> RegionPart:
    """A region with polygons (boxes) and sites; a polygon belongs to every site whose own ground it meets."""
    region = Region(slug, slug, shapely.box(*bounds))
    frame = pd.DataFrame([dict(one) for one in sites], columns=[*site("", 0, 0)])
    told = pd.DataFrame(frame[["site_id", "longitude", "latitude"]])
    owned = gpd.GeoDataFrame({"site_id": frame["site_id"]}, geometry=list(frame["owned"]), crs="EPSG:4326")
    common: dict[str, Any] = {"region": slug, "year": year, "status": status}
    mining = _mining(common, polygons, frame.assign(**common)) if made else None
    return RegionPart(region, told, mining, lambda: owned)


def _mining(common: dict[str, Any], polygons: Sequence[Box], sites: pd.DataFrame) -> MiningFiles:
    folder = Path(tempfile.mkdtemp(dir=_folder().name))
    shapes = np.array([shapely.box(*box) for box in polygons], dtype=object)
    split = borders().split(shapes)
    ids = [f"{common['region']}-{n}" for n in range(len(shapes))]
    sizes = np.array([area(shape) for shape in shapes])
    biggest = split.sort_values("share").drop_duplicates("polygon", keep="last").set_index("polygon")["iso3"]
    rows = [_polygon(sites, ids[n], str(biggest[n]), float(sizes[n]), shapes[n]) | common for n in range(len(shapes))]
    number = split["polygon"].to_numpy(int)
    areas = pd.DataFrame(
        {
            "polygon_id": [ids[n] for n in number],
            "iso3": split["iso3"],
            "area_km2": split["share"] * sizes[number] if len(number) else [],
        }
    )
    _write(folder, MINING_POLYGONS, pd.DataFrame(rows))
    _write(folder, POLYGON_COUNTRY_AREA, areas)
    _write(folder, SITE_AREA, sites.assign(product="planet-nicfi"))
    for spec, column in ((UNOBSERVED_GROUND, "hidden"), (CLIPPED_GROUND, "clipped")):
        some = sites[sites[column].notna()]
        sized = [area(shape) for shape in some[column]]
        _write(folder, spec, some.assign(geometry=some[column], area_km2=sized))
    return MiningFiles(lambda name: folder / name)


def _write(folder: Path, spec: TableSpec, frame: pd.DataFrame) -> None:
    write_table(frame if len(frame) else empty_table(spec), spec, folder / spec.file)


def _polygon(sites: pd.DataFrame, polygon_id: str, iso3: str, area_km2: float, shape: BaseGeometry) -> dict[str, Any]:
    touched = [s for s, ground in zip(sites["site_id"], sites["owned"], strict=True) if ground.intersects(shape)]
    row: dict[str, Any] = dict.fromkeys(MINING_POLYGONS.names, "")
    row |= {"polygon_id": polygon_id, "site_ids": touched, "country_iso3": iso3, "area_km2": area_km2}
    row |= {"mean_probability": 0.9, "clear_fraction": None, "sources": ["archive"], "acquisitions": []}
    return row | {"geometry": shape}
