"""A static STAC 1.1 catalogue: one collection, a catalogue for each year, an item for each year's polygons and for each
site's composite and mask.

Links are relative, so that the folder may lie anywhere. An item without pixels has no file for them and says why.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minemap_assets.imagery.build import CLEAR_COUNT
from minemap_assets.imagery.products import NOT_OBSERVED, PRODUCTS
from minemap_assets.publication.dataset.dataset_tables import Table
from minemap_assets.publication.dataset.facts import Facts
from minemap_assets.publication.dataset.pixels import Kind, Raster, Wanted
from minemap_assets.segmentation.scale import NOT_OBSERVED as NO_PROBABILITY
from minemap_assets.segmentation.scale import TOP

if TYPE_CHECKING:
    import geopandas as gpd

FOLDER, COLLECTION = "stac", "collection.json"

VERSION = "1.1.0"

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOPACKAGE, PARQUET, CSV = "application/geopackage+sqlite3", "application/vnd.apache.parquet", "text/csv"

WHOLE_FILES: Mapping[str, tuple[str, str]] = {
    ".gpkg": (GEOPACKAGE, "data"),
    ".parquet": (PARQUET, "data"),
    ".csv": (CSV, "data"),
    ".pmtiles": ("application/vnd.pmtiles", "visual"),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "data"),
}
"""Media type and role of files over all years, by how their names end."""

ALTHOUGH = "Included although the terms of their source do not allow passing them on."

_OWN = "minemap:"
"""Prefix of properties that no extension has."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """West, south, east, north in degrees, and the first and last moment."""

    bounds: tuple[float, float, float, float]
    start: str
    end: str


def write_catalogue(facts: Facts, polygons: Table | None, found: Sequence[Raster], wanted: Wanted, folder: Path) -> int:
    """Write `stac/` in the dataset's folder, for the files that lie there; returns the number of items."""
    items = defaultdict[int, list[Json]](list)
    shown = _shown(facts, found, wanted)
    for year, item in (*_polygon_items(facts, polygons, folder), *_raster_items(facts, shown, wanted)):
        items[year].append(item)
    for year in sorted(items):
        _write_year(year, items[year], facts, folder)
    every = [item for year in sorted(items) for item in items[year]]
    collection = _collection(facts, every, sorted(items), folder) | _without_items(len(found) - len(shown))
    _write(collection, folder / FOLDER / COLLECTION)
    return len(every)


def _shown(facts: Facts, found: Sequence[Raster], wanted: Wanted) -> Sequence[Raster]:
    """Rasters that have an item: all, or where they are too many those that are in the folder."""
    if len(found) <= facts.config.most_raster_items:
        return found
    return [one for one in found if not one.left_out(wanted)]


def _without_items(count: int) -> Json:
    told = f"{count:,} composites and masks whose pixels are not in this folder have no item: there are too many."
    return {f"{_OWN}rasters_without_items": told} if count else {}


def _write(value: Json, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{json.dumps(value, indent=1)}\n", encoding="utf-8")


def _write_year(year: int, items: Sequence[Json], facts: Facts, folder: Path) -> None:
    base = folder / FOLDER / str(year)
    links = [
        _link("root", f"../{COLLECTION}"),
        _link("parent", f"../{COLLECTION}"),
        *(_link("item", f"./{item['id']}.json", "application/geo+json") for item in items),
    ]
    verdict = f"Verdict on the model: {facts.standing.verdict}."
    catalogue = {
        "type": "Catalog",
        "stac_version": VERSION,
        "id": str(year),
        "title": str(year),
        "description": f"Polygons, composites and masks of {year}. {verdict}",
        **_told(facts),
        "links": links,
    }
    _write(catalogue, base / "catalog.json")
    for item in items:
        _write(item, base / f"{item['id']}.json")


def _link(rel: str, href: str, kind: str = "application/json") -> Json:
    return {"rel": rel, "href": href, "type": kind}


def _told(facts: Facts) -> Json:
    """What everything says of the model and the review, before any figure."""
    return {
        f"{_OWN}verdict_on_the_model": facts.standing.verdict,
        f"{_OWN}held_out_score": facts.held_out,
        f"{_OWN}review": str(facts.standing.release),
        f"{_OWN}model_version": facts.standing.version,
    }


def _collection(facts: Facts, items: Sequence[Json], years: Sequence[int], folder: Path) -> Json:
    licence = facts.database_licence
    bounds = [item["bbox"] for item in items]
    times = [item["properties"] for item in items]
    providers = [{"name": name, "roles": ["producer"]} for name in _authors(facts)]
    document = "../LICENCE.md"
    return {
        "type": "Collection",
        "stac_version": VERSION,
        "id": "minemap",
        "title": facts.title,
        "description": f"{facts.description} Verdict on the model: {facts.standing.verdict}.",
        "license": licence.spdx if licence.title != licence.spdx else "other",
        **({"providers": providers} if providers else {}),
        **_told(facts),
        "extent": {
            "spatial": {"bbox": [_around(bounds)]},
            "temporal": {
                "interval": [
                    [
                        min((t["start_datetime"] for t in times), default=_first(min(facts.years))),
                        max((t["end_datetime"] for t in times), default=_last(max(facts.years))),
                    ]
                ]
            },
        },
        "assets": dict(_table_assets(folder)),
        "links": [
            _link("root", f"./{COLLECTION}"),
            {"rel": "license", "href": document, "type": "text/markdown", "title": licence.title},
            *(_link("child", f"./{year}/catalog.json") for year in years),
        ],
    }


def _authors(facts: Facts) -> list[str]:
    return [one.name or f"{one.given} {one.family}".strip() for one in facts.config.authors]


def _around(bounds: Sequence[Sequence[float]]) -> list[float]:
    """Bounds of all bounds; of the whole world where there are none."""
    if not bounds:
        return [-180.0, -90.0, 180.0, 90.0]
    sides = list(zip(*bounds, strict=True))
    return [min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])]


def _table_assets(folder: Path) -> Iterator[tuple[str, Json]]:
    """Files over all years that lie in the folder."""
    for path in sorted((*folder.glob("*"), *(folder / "tables").glob("*.csv"))):
        if path.suffix in WHOLE_FILES:
            kind, role = WHOLE_FILES[path.suffix]
            href = f"../{path.relative_to(folder).as_posix()}"
            yield path.name, {"href": href, "type": kind, "roles": [role], "title": path.name}


def _item(facts: Facts, name: str, extent: Extent, geometry: Json | None, properties: Json, assets: Json) -> Json:
    used = [
        schema
        for schema, prefix in ((PROJECTION, '"proj:'), (RASTER, '"raster:'), (TABLE, '"table:'))
        if prefix in json.dumps([properties, assets])
    ]
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": used,
        "id": name,
        "collection": "minemap",
        "geometry": geometry,
        "bbox": list(extent.bounds),
        "properties": {
            "datetime": None,
            "start_datetime": extent.start,
            "end_datetime": extent.end,
            **_told(facts),
            **properties,
        },
        "links": [
            _link("root", f"../{COLLECTION}"),
            _link("parent", "./catalog.json"),
            _link("collection", f"../{COLLECTION}"),
        ],
        "assets": assets,
    }


def _first(year: int) -> str:
    return f"{year}-01-01T00:00:00Z"


def _last(year: int) -> str:
    return f"{year}-12-31T23:59:59Z"


def _polygon_items(facts: Facts, table: Table | None, folder: Path) -> Iterator[tuple[int, Json]]:
    """An item for each year that has polygons."""
    import shapely

    if table is None:
        return
    frame: gpd.GeoDataFrame = table.frame
    columns = [{"name": c.name, "description": c.meaning, "type": c.type} for c in table.columns]
    for year in sorted({int(year) for year in frame["year"]}):
        rows = frame[frame["year"] == year]
        west, south, east, north = (float(side) for side in rows.total_bounds)
        extent = Extent((west, south, east, north), _first(year), _last(year))
        assets = {
            name: {
                "href": f"../../{file}",
                "type": kind,
                "roles": ["data"],
                "title": title,
                "table:columns": columns,
                "table:primary_geometry": "geometry",
            }
            for name, file, kind, title in (
                ("geopackage", "minemap.gpkg", GEOPACKAGE, f"Layer polygons_{year}"),
                ("geoparquet", "polygons.parquet", PARQUET, f"Rows whose year is {year}"),
            )
            if (folder / file).exists()
        }
        properties = {
            "title": f"Mining polygons of {year}",
            "table:row_count": len(rows),
            f"{_OWN}provisional": int((rows["status"] != "final").sum()),
        }
        geometry = shapely.geometry.mapping(shapely.box(west, south, east, north))
        yield year, _item(facts, f"polygons-{year}", extent, _plain(geometry), properties, assets)


def _raster_items(facts: Facts, found: Iterable[Raster], wanted: Wanted) -> Iterator[tuple[int, Json]]:
    seasons: dict[tuple[str, int, str], tuple[str, str]] = {}
    for one in found:
        key = (one.region, one.year, one.site_id)
        if one.kind is Kind.IMAGERY:
            seasons[key] = (f"{one.row['season_start']}T00:00:00Z", f"{one.row['season_end']}T23:59:59Z")
        yield one.year, _raster_item(facts, one, wanted, seasons.get(key, (_first(one.year), _last(one.year))))


def _raster_item(facts: Facts, one: Raster, wanted: Wanted, season: tuple[str, str]) -> Json:
    import shapely

    west, south, east, north = (float(side) for side in one.window.bounds)
    name = f"{one.kind}-{one.region}-{one.site_id}-{one.year}"
    left_out = one.left_out(wanted)
    properties = {
        "title": f"{'Composite' if one.kind is Kind.IMAGERY else 'Probability of mining'} of {one.site_id}, {one.year}",
        f"{_OWN}site_id": one.site_id,
        f"{_OWN}region": one.region,
        f"{_OWN}product": str(one.row["product"]),
        f"{_OWN}pixels": left_out or (ALTHOUGH if one.restricted else "Included."),
        **(_imagery_properties(one) if one.kind is Kind.IMAGERY else _mask_properties(one)),
        **_projection(one),
    }
    asset = {
        "href": f"../../{one.place}",
        "type": COG,
        "roles": ["data"],
        "bands": list(_bands(one)),
    }
    extent = Extent((west, south, east, north), *season)
    geometry = _plain(shapely.geometry.mapping(one.window))
    return _item(facts, name, extent, geometry, properties, {} if left_out else {"pixels": asset})


def _imagery_properties(one: Raster) -> Json:
    row = one.row
    return {
        f"{_OWN}source": str(row["source"]),
        f"{_OWN}acquisitions": [str(name) for name in row["acquisitions"]],
        f"{_OWN}clear_fraction": round(float(row["clear_fraction"]), 6),
        f"{_OWN}terms": one.terms,
        f"{_OWN}redistributable": not one.restricted,
    }


def _mask_properties(one: Raster) -> Json:
    return {
        f"{_OWN}threshold": round(float(one.row["threshold"]), 6),
        f"{_OWN}operating_point": str(one.row["operating_point"]),
        f"{_OWN}observed_fraction": round(float(one.row["observed_fraction"]), 6),
    }


def _projection(one: Raster) -> Json:
    """The grid of the raster, where the site is still known."""
    if one.grid is None:
        return {}
    affine, (height, width) = one.grid.affine, one.grid.shape
    left, bottom, right, top = one.grid.boundingbox.bbox
    return {
        "proj:code": str(one.grid.crs),
        "proj:shape": [int(height), int(width)],
        "proj:transform": [affine.a, affine.b, affine.c, affine.d, affine.e, affine.f],
        "proj:bbox": [left, bottom, right, top],
    }


def _bands(one: Raster) -> Iterator[Json]:
    if one.kind is Kind.MASKS:
        told = f"Calibrated probability of mining times {TOP}; {NO_PROBABILITY} was not observed"
        yield {
            "name": "probability",
            "description": told,
            "data_type": "uint8",
            "nodata": NO_PROBABILITY,
            "raster:scale": 1.0 / TOP,
            "raster:offset": 0.0,
        }
        return
    encoding = PRODUCTS[str(one.row["product"])].encoding
    for band in one.partition.manifest.summary["bands"]:
        numbers = {"raster:scale": encoding.scale, "raster:offset": encoding.offset}
        yield {"name": str(band), "data_type": "uint16", "nodata": NOT_OBSERVED, **numbers}
    yield {"name": CLEAR_COUNT, "data_type": "uint16", "nodata": NOT_OBSERVED, "description": "Clear observations"}


def _plain(geometry: Mapping[str, Any]) -> Json:
    """A geometry as JSON, with lists where shapely has tuples."""
    plain: Json = json.loads(json.dumps(geometry))
    return plain
