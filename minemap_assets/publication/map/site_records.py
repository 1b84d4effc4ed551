"""What the page tells of each site: a short entry for the map and the search, and all of it for the panel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minemap_assets.geo.grid import from_columns
from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.build import INDEX
from minemap_assets.publication.map.json_files import number, whole, words
from minemap_assets.publication.map.map_tables import MapTables
from minemap_assets.publication.published import by_region, by_region_and_year
from minemap_assets.simulation.config import NAME
from minemap_assets.sites.assets import SITES

if TYPE_CHECKING:
    import pandas as pd

DETAILS_IN_FILE = 20
"""Sites whose details share a file: one request tells of a site and its neighbours."""

Record = dict[str, Any]


@dataclass(frozen=True)
class SiteRecords:
    """Entries by site in the order of their ids, and their details in files of `DETAILS_IN_FILE` sites."""

    index: tuple[Record, ...]
    details: tuple[Mapping[str, Record], ...]


def site_records(context: InputContext, tables: MapTables) -> SiteRecords:
    """All sites of the panel; a site of several regions has the provenance of the region that speaks for it there."""
    panel = tables.panel.sort_values(["site_id", "year"], kind="stable")
    corners = _corners(context)
    observed = _provenance(context)
    outlines = _outlines(tables.polygons.drop(columns="geometry"))
    mines = _mines(tables.mines)
    simulated = _simulated(observed)
    index, details = [], []
    for site_id, rows in panel.groupby("site_id", sort=True):
        site = str(site_id)
        records = rows.to_dict("records")
        last = records[-1]
        own = mines.get(site, [])
        km2 = {int(one["year"]): number(one["area_km2"]) for one in records}
        index.append(
            {
                "id": site,
                "region": str(last["region"]),
                "iso3": str(last["country_iso3"]),
                "at": [number(last["longitude"], 5), number(last["latitude"], 5)],
                "corners": corners.get(site),
                "km2": [km2.get(year) for year in tables.years],
                "simulated": site in simulated,
                "first": min((one["first"] for one in own), default=None),
            }
        )
        years = [_year(one, observed, outlines.get((site, int(one["year"])), [])) for one in records]
        details.append((site, {"years": years, "mines": own}))
    groups = [dict(details[start : start + DETAILS_IN_FILE]) for start in range(0, len(details), DETAILS_IN_FILE)]
    return SiteRecords(tuple(index), tuple(groups))


def _year(row: Mapping[Any, Any], observed: Mapping[tuple[str, str, int], Record], outlines: list[Record]) -> Record:
    key = (str(row["region"]), str(row["site_id"]), int(row["year"]))
    return {
        "year": int(row["year"]),
        "km2": number(row["area_km2"]),
        "uncorrected_km2": number(row["uncorrected_km2"]),
        "observed_share": number(row["observed_share"], 3),
        "reason": words(row["not_observed_reason"]),
        "status": str(row["status"]),
        "product": words(row["product"]),
        "outlines": outlines,
        "models": sorted({one["model"] for one in outlines}),
        **observed.get(key, {}),
    }


def _corners(context: InputContext) -> dict[str, list[list[float]]]:
    """Longitude and latitude of the corners of each site's window: top left, then clockwise."""
    import pyproj

    found = {}
    transformers: dict[str, pyproj.Transformer] = {}
    for partition in by_region(context, SITES).values():
        for site in read_geoparquet(partition.file("sites.parquet")).itertuples():
            grid = from_columns(site.crs, site.transform, site.width, site.height)
            left, bottom, right, top = grid.boundingbox.bbox
            if site.crs not in transformers:
                transformers[site.crs] = pyproj.Transformer.from_crs(site.crs, WGS84, always_xy=True)
            xs, ys = transformers[site.crs].transform([left, right, right, left], [top, top, bottom, bottom])
            found[str(site.site_id)] = [[round(x, 6), round(y, 6)] for x, y in zip(xs, ys, strict=True)]
    return found


def _provenance(context: InputContext) -> dict[tuple[str, str, int], Record]:
    """By region, site and year, where its pixels come from."""
    found = {}
    for (region, year), partition in by_region_and_year(context, COMPOSITES).items():
        for row in read_geoparquet(partition.file(INDEX)).to_dict("records"):
            found[(region, str(row["site_id"]), year)] = {
                "source": str(row["source"]),
                "scenes": [str(one) for one in row["acquisitions"]],
                "first_date": words(row["first_date"]),
                "last_date": words(row["last_date"]),
                "clear": number(row["clear_fraction"], 3),
                "clear_count": number(row["clear_count_mean"], 1),
                "gap_days": whole(row["largest_gap_days"]),
                "cloud_mask": words(row["cloud_mask"]),
                "baseline": words(row["processing_baseline"]),
                "terms": words(row["terms"]),
            }
    return found


def _simulated(observed: Mapping[tuple[str, str, int], Record]) -> frozenset[str]:
    """Sites that no other source than the simulated one has shown."""
    real = {site for (_, site, _), made_from in observed.items() if made_from["source"] != NAME}
    return frozenset(site for _, site, _ in observed if site not in real)


def _outlines(polygons: "pd.DataFrame") -> dict[tuple[str, int], list[Record]]:
    """Outlines by site and year, the largest first."""
    found: dict[tuple[str, int], list[Record]] = {}
    for row in polygons.sort_values(["area_km2", "polygon_id"], ascending=[False, True]).to_dict("records"):
        one = {
            "id": str(row["polygon_id"]),
            "km2": number(row["area_km2"]),
            "p": number(row["mean_probability"], 3),
            "correction": str(row["correction"]),
            "model": str(row["model_version"]),
        }
        for site in row["site_ids"]:
            found.setdefault((str(site), int(row["year"])), []).append(one)
    return found


def _mines(history: "pd.DataFrame") -> dict[str, list[Record]]:
    """Mines by site, the largest first."""
    found: dict[str, list[Record]] = {}
    for site, mine in _each_mine(history):
        found.setdefault(site, []).append(mine)
    return {site: sorted(mines, key=lambda one: (-one["ever_km2"], one["id"])) for site, mines in found.items()}


def _each_mine(history: "pd.DataFrame") -> Iterator[tuple[str, Record]]:
    rows: Sequence[Mapping[Any, Any]] = history.to_dict("records")
    for row in rows:
        mine = {
            "id": str(row["mine_id"]),
            "first": int(row["first_year"]),
            "first_low": whole(row["first_year_low"]),
            "first_high": whole(row["first_year_high"]),
            "first_posterior": number(row["first_year_posterior"], 3),
            "last": int(row["last_year"]),
            "last_posterior": number(row["last_year_posterior"], 3),
            "visible": bool(row["still_visible"]),
            "ever_km2": number(row["ever_mined_km2"]),
            "status": str(row["status"]),
        }
        for site in row["site_ids"]:
            yield str(site), mine
