"""What the layers of the tiles say of published polygons and of changes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.publication.tiles.ground import NEVER_DRAWN, Ground, Merging, ground

_KINDS = {
    "year": "Number",
    "km2": "Number",
    "first": "Number",
    "p": "Number",
    "n": "Number",
}
"""Everything else is text."""

_POLYGONS = ("year", "first", "status", "iso3", "region", "p", "km2", "site", "id")
_CHANGES = ("year", "kind", "region", "km2", "site")
_MEANING = {
    "polygons": "Mining areas by year, with their outlines",
    "points": "Mining areas that are too small for an outline; `n` of a year in one place are one dot",
    "changes": "Ground gained and lost against the year before",
    "change_points": "Gains and losses that are too small or too narrow for an outline",
}


def polygons_ground(polygons: gpd.GeoDataFrame) -> Ground:
    """Published polygons; in the order of year and id, whatever order they come in."""
    rows = polygons.sort_values(["year", "polygon_id"], kind="stable").reset_index(drop=True)
    told = {
        "id": rows["polygon_id"],
        "year": rows["year"].astype("int64"),
        "region": rows["region"],
        "iso3": rows["country_iso3"].where(rows["country_iso3"] != "", None),
        "km2": rows["area_km2"],
        "site": pd.Series([ids[0] if len(ids) else None for ids in rows["site_ids"]], dtype=object),
        "first": rows["first_year"].astype("Int64"),
        "status": rows["status"],
        "p": rows["mean_probability"].round(3),
    }
    frame = gpd.GeoDataFrame(told, geometry=rows.geometry.to_numpy(), crs=rows.crs)
    return ground(frame, "polygons", "points", _POLYGONS, Merging(("year",), ("first",), ("id", "site")))


def changes_ground(changes: gpd.GeoDataFrame) -> Ground:
    """Ground gained and lost, in the order of year, site and kind; what has no piece to draw is a dot at every zoom."""
    rows = changes.sort_values(["year", "region", "site", "kind"], kind="stable").reset_index(drop=True)
    told = {name: rows[name] for name in _CHANGES}
    frame = gpd.GeoDataFrame(told, geometry=rows.geometry.to_numpy(), crs=rows.crs)
    merging = Merging(("year", "kind"), (), ("region", "site"), spacing=2)
    found = ground(frame, "changes", "change_points", _CHANGES, merging)
    drawn = rows["drawn_km2"].to_numpy(np.float64)
    return replace(found, shares=np.where(drawn > 0.0, found.shares * (drawn / found.km2), NEVER_DRAWN))


def described_layers(grounds: Sequence[Ground], max_zoom: int) -> list[dict[str, Any]]:
    """The layers as a file's metadata lists them."""
    found = []
    for one in grounds:
        dotted = ("n", "km2", *one.merging.within, *one.merging.earliest, *one.merging.alone)
        for layer, names in ((one.layer, one.described.names), (one.dots, dotted)):
            fields = {name: _KINDS.get(name, "String") for name in sorted(names)}
            meaning = _MEANING[layer]
            found.append({"id": layer, "fields": fields, "minzoom": 0, "maxzoom": max_zoom, "description": meaning})
    return found
