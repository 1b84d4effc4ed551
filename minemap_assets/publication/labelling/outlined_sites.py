"""Mines that a person outlined on an image: ground truth, kept as an input of the project and registered for training.

`inputs/labelling/outlines.geojson` holds every outline with its author, its date and the year of the image it was drawn
on. Those of a year are registered as the polygon set `outlined_<year>` with the role `labels`, so that the next run
unites them with all other ground truth, makes sites of them, and trains on them.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.settings import StrictModel
from minemap_assets.publication.labelling.tasks import FOLDER
from minemap_assets.reference.catalogue import read_catalogue
from minemap_assets.reference.registration import Registration, register, withdraw

OUTLINES_PATH = f"{FOLDER}/outlines.geojson"

DIGITS = 7
"""Decimals of a degree that are kept: a centimetre."""

MOST_CORNERS = 5000

LEAST_M2 = 100.0
"""A pixel of 10 m: what is smaller was drawn by mistake."""

Ring = tuple[tuple[float, float], ...]


class Outline(StrictModel):
    """One mine: its corners in degrees (EPSG:4326, not closed), where and on which year's image it was drawn, by whom.
    `place` is the id of a site or of a detection, or coordinates on scanned ground.
    """

    outline_id: str
    region: str
    place: str
    year: int
    author: str
    date: str
    note: str = ""
    ring: Ring

    @property
    def polygon(self) -> shapely.Polygon:
        """It as a polygon."""
        return shapely.Polygon(self.ring)


def outline_of(ring: Sequence[tuple[float, float]], **said: Any) -> Outline:
    """An outline from its corners in degrees. Raises `BadInputError` for one that encloses no ground, or crosses
    itself.
    """
    if len(ring) > MOST_CORNERS:
        raise BadInputError(f"an outline has at most {MOST_CORNERS:,} corners; draw it with fewer, or in parts")
    corners: Ring = tuple((round(x, DIGITS), round(y, DIGITS)) for x, y in ring)
    if len(set(corners)) < 3:
        raise BadInputError("an outline needs three corners or more; set another one")
    polygon = shapely.Polygon(corners)
    if not polygon.is_valid:
        raise BadInputError("the outline crosses or touches itself; move the corner that does so")
    if areas_km2(gpd.GeoSeries([polygon], crs=WGS84))[0] * 1e6 < LEAST_M2:
        raise BadInputError(f"the outline encloses less than {LEAST_M2:.0f} m2, less than a pixel; draw it larger")
    name = hashlib.sha256(json.dumps(corners).encode()).hexdigest()[:12]
    return Outline(outline_id=name, ring=corners, **said)


def read_outlines(store: Store) -> tuple[Outline, ...]:
    """Every outline that was drawn, oldest first. Raises `BadInputError` where the file is damaged or lost."""
    return _parsed(store.root, Inputs(store).read(OUTLINES_PATH))


def add_outline(store: Store, outline: Outline) -> None:
    """Store an outline; one that is there already changes nothing."""

    def edit(data: bytes | None) -> bytes | None:
        known = _parsed(store.root, data)
        return data if any(one.outline_id == outline.outline_id for one in known) else _written((*known, outline))

    Inputs(store).change(OUTLINES_PATH, edit)


def remove_outline(store: Store, outline_id: str) -> Outline | None:
    """Take an outline away; returns it, or None where there is none of that id."""
    gone: list[Outline] = []

    def edit(data: bytes | None) -> bytes | None:
        known = _parsed(store.root, data)
        gone[:] = [one for one in known if one.outline_id == outline_id]
        return _written(tuple(one for one in known if one.outline_id != outline_id)) if gone else data

    Inputs(store).change(OUTLINES_PATH, edit)
    return gone[0] if gone else None


def set_name(year: int) -> str:
    """The polygon set that outlines on images of a year become."""
    return f"outlined_{year}"


def register_outlines(store: Store, year: int, licence: str) -> Registration | None:
    """Register the outlines of a year as ground truth; without any left the set is withdrawn, and None returned."""
    while True:
        drawn = tuple(one for one in read_outlines(store) if one.year == year)
        done = _register(store, year, drawn, licence)
        if drawn == tuple(one for one in read_outlines(store) if one.year == year):
            return done  # else somebody drew meanwhile, and the set may lack it


def _register(store: Store, year: int, drawn: tuple[Outline, ...], licence: str) -> Registration | None:
    name = set_name(year)
    if not drawn:
        if read_catalogue(store).find(name) is not None:
            withdraw(store, name)
        return None
    authors = ", ".join(sorted({one.author for one in drawn}))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.geojson"
        path.write_bytes(_written(drawn))
        return register(
            store,
            path,
            name=name,
            kind="polygons",
            licence=licence,
            role="labels",
            citation=f"Outlined by {authors}",
            origin="minemap label outline",
            reference_year=year,
            columns={"id": "outline_id"},
        )


def _parsed(root: str, data: bytes | None) -> tuple[Outline, ...]:
    if data is None:
        return ()
    try:
        features = json.loads(data)["features"]
        return tuple(
            Outline(**one["properties"], ring=[tuple(corner) for corner in one["geometry"]["coordinates"][0][:-1]])
            for one in features
        )
    except (ValueError, KeyError, TypeError, IndexError, ValidationError) as error:
        raise BadInputError(
            f"{root}/{OUTLINES_PATH} cannot be read; bring an earlier version back with `minemap inputs restore`"
        ) from error


def _written(outlines: Sequence[Outline]) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": one.model_dump(mode="json", exclude={"ring"}),
            "geometry": {"type": "Polygon", "coordinates": [[list(corner) for corner in (*one.ring, one.ring[0])]]},
        }
        for one in outlines
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def corners_of(shapes: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Corners (n, 2) of every ring of some polygons."""
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(list(shapes))]
