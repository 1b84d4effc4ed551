"""Building the map's folder: the page, its tiles, figures, borders, names and pictures, in that order."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from minemap_assets.errors import NotFoundError
from minemap_assets.graph.context import BuildContext
from minemap_assets.lake.manifests import Outcome
from minemap_assets.publication.map.border_lines import border_collection
from minemap_assets.publication.map.config import MapConfig
from minemap_assets.publication.map.json_files import write_json
from minemap_assets.publication.map.map_tables import MapTables, map_tables
from minemap_assets.publication.map.overview import overview
from minemap_assets.publication.map.picture_plan import PicturePlan
from minemap_assets.publication.map.place_names import CREDIT, place_names
from minemap_assets.publication.map.site_columns import extent, site_columns, unseen_sites, windows
from minemap_assets.publication.map.site_pictures import Place, SiteArchive, planned, write_pictures
from minemap_assets.publication.map.site_records import DETAILS_IN_FILE, SiteRecords, site_records
from minemap_assets.publication.map.static_files import static_files
from minemap_assets.publication.standing import Standing, standing_of

MAP_JSON, SITES_JSON, SESSION_JSON = "data/map.json", "data/sites.json", "data/session.json"
BORDERS_JSON, PLACES_JSON = "data/borders.json", "data/places.json"
WINDOWS_JSON, UNSEEN_JSON = "data/windows.json", "data/unseen.json"
TILES = "tiles/mines.pmtiles"

NOT_SERVED = {"served": False, "writable": False, "user": ""}
"""What a folder says of itself that no `minemap map` serves."""

_MEGABYTE = 1_000_000


class MapFolder:
    """What is written of the folder so far, and how large it is."""

    def __init__(self, context: BuildContext) -> None:
        self._writer = context.writer
        self.bytes = 0

    def put(self, name: str, data: bytes) -> None:
        """Write one file."""
        self._writer.write(name, lambda path: path.write_bytes(data))
        self.bytes += len(data)

    def put_json(self, name: str, value: Any) -> None:
        """Write one file of JSON."""
        self.made(name, partial(write_json, value))

    def made(self, name: str, put: Any) -> None:
        """Have one file written at its path."""
        self._writer.write(name, put)
        self.bytes += self._writer.published(name).stat().st_size


def build_map(context: BuildContext) -> Outcome:
    """Write every file of the folder. Raises `NotFoundError` where nothing is mapped yet."""
    config = context.project.section(MapConfig)
    tables = map_tables(context)
    if not tables.years:
        raise NotFoundError("nothing is mapped yet, so that there is nothing to show; `minemap run` makes the maps")
    folder = MapFolder(context)
    records = site_records(context, tables)
    names = _names(records, config)
    for name, data in static_files(config, with_places=bool(names)):
        folder.put(name, data)
    folder.put_json(SESSION_JSON, NOT_SERVED)
    tiles = _write_tiles(tables, folder, config, standing_of(context))
    _write_sites(records, tables, folder)
    borders = border_collection(context)
    folder.put_json(BORDERS_JSON, borders)
    folder.put_json(PLACES_JSON, {"credit": CREDIT if names else "", "places": names})
    told = {
        **overview(context, tables, config),
        "borders": [feature["properties"] for feature in borders["features"]],
        "extent": extent(records.index),
    }
    pictures = _write_pictures(context, folder, config, records, len(str(told)))
    folder.put_json(SITES_JSON, site_columns(records.index, tables.years, pictures.shown, DETAILS_IN_FILE))
    note = pictures.note(config, records)
    folder.put_json(MAP_JSON, {**told, **tiles, "pictures": {"note": note, "pixels": pictures.plan.pixels}})
    return Outcome(
        {
            "years": len(tables.years),
            "sites": len(records.index),
            "sites_with_pictures": len(pictures.shown),
            "pictures": sum(map(len, pictures.shown.values())),
            "picture_pixels": pictures.plan.pixels,
            "polygons": tiles["polygons"],
            "note": note or "nothing had to be left out to keep to the size",
        }
    )


def _names(records: SiteRecords, config: MapConfig) -> list[dict[str, Any]]:
    """Names of towns; none where all ground is simulated, since no town lies in an invented place."""
    real = [one for one in records.index if not one["simulated"]]
    if config.places == "none" or (records.index and not real):
        return []
    return place_names([tuple(one["at"]) for one in real])


class _Pictures:
    """The pictures that were made, by site and year with whether they may be passed on, and the plan behind them."""

    def __init__(self, plan: PicturePlan, years: Sequence[int], shown: Mapping[str, Mapping[int, bool]]) -> None:
        self.plan = plan
        self.shown = shown
        self._years = years

    def note(self, config: MapConfig, records: SiteRecords) -> str:
        """What was left out to keep to the size."""
        return self.plan.reduced(config.picture_pixels, self._years, len(records.index)) if self._years else ""


def _write_pictures(
    context: BuildContext, folder: MapFolder, config: MapConfig, records: SiteRecords, reserve: int
) -> _Pictures:
    archive = SiteArchive(context)
    places = [
        Place(one["id"], one["region"], max((km2 for km2 in one["km2"] if km2 is not None), default=0.0))
        for one in records.index
    ]
    # the files that are still to be written tell of pictures
    left = config.max_megabytes * _MEGABYTE - folder.bytes - reserve - len(str(records.index))
    plan = planned(archive, places, config.picture_pixels, left)
    told = partial(context.progress, stage="pictures of sites")
    return _Pictures(plan, archive.years, write_pictures(archive, places, plan, folder.put, told))


def _write_sites(records: SiteRecords, tables: MapTables, folder: MapFolder) -> None:
    """What the map draws of sites, and what their panels tell."""
    folder.put_json(WINDOWS_JSON, windows(records.index, tables.years))
    folder.put_json(UNSEEN_JSON, unseen_sites(records.index, tables.years))
    for number, group in enumerate(records.details):
        folder.put_json(f"data/details/{number}.json", group)


def _write_tiles(tables: MapTables, folder: MapFolder, config: MapConfig, standing: Standing) -> dict[str, Any]:
    """The tiles; what the page has to know of them."""
    from minemap_assets.publication.tiles.published_tiles import write_published_tiles

    unknown: list[int] = []

    def put(path: Path) -> None:
        frames = tables.polygons, tables.mines, tables.panel
        verdict = standing.verdict
        unknown.append(write_published_tiles(*frames, path, verdict=verdict, attribution="", max_zoom=config.max_zoom))

    folder.made(TILES, put)
    return {"tiles": TILES, "polygons": len(tables.polygons), "first_year_unknown": unknown[0]}
