"""Overlays: areas, lines or points of one's own that detections are summed up by, such as reserves and airstrips."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import repair
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.messages import suggestion
from minemap_assets.project.project import Project

OVERLAYS_PATH = "inputs/detection/overlays.geojson"

NAME_COLUMNS = ("name", "NAME", "Name", "title", "terrai_nom")
RESERVED = frozenset({"region", "country"})

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_DIGITS = 1e-6


@dataclass(frozen=True, eq=False)
class Overlay:
    """Shapes (n) in EPSG:4326 and their names. `areal` ones are asked what lies inside, others how far it is."""

    name: str
    names: tuple[str, ...]
    shapes: npt.NDArray[np.object_]

    @property
    def areal(self) -> bool:
        """Whether it is made of areas."""
        return bool((shapely.get_dimensions(self.shapes) == 2).any())


def add_overlay(store: Store, name: str, path: Path, *, column: str | None = None, crs: str | None = None) -> int:
    """Make a vector file an overlay of the project, in the place of one of that name; returns its features.

    Raises `BadInputError` for a name that means something else, a column that is not there, and a file that mixes areas
    with points or lines.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise BadInputError(
            f"{name!r} cannot name an overlay; use small letters, digits, - and _, and not region or country"
        )
    frame = read_vector(path, crs=crs)
    areal = shapely.get_dimensions(frame.geometry.to_numpy()) == 2
    if areal.any() and not areal.all():
        raise BadInputError(f"{path} mixes areas with points or lines; give them as two overlays")
    new = [
        {
            "type": "Feature",
            "properties": {"overlay": name, "name": called},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for called, shape in zip(_names(frame, column, path), _whole(frame), strict=True)
    ]

    def edit(data: bytes | None) -> bytes:
        others = [one for one in _features(data) if one["properties"]["overlay"] != name]
        return (json.dumps({"type": "FeatureCollection", "features": others + new}, sort_keys=True) + "\n").encode()

    Inputs(store).change(OVERLAYS_PATH, edit)
    return len(new)


def registered_overlays(project: Project) -> tuple[Overlay, ...]:
    """The project's overlays by name."""
    return project.parsed(OVERLAYS_PATH, _parsed)


def _whole(frame: gpd.GeoDataFrame) -> list[Any]:
    shapes = [repair(shape) or shape if shape.geom_type.endswith("Polygon") else shape for shape in frame.geometry]
    return [shapely.set_precision(shape, _DIGITS) for shape in shapes]


def _names(frame: gpd.GeoDataFrame, column: str | None, path: Path) -> list[str]:
    """What features are called; those without a name by their number, and those of one name are one."""
    has = sorted(map(str, set(frame.columns) - {"geometry"}))
    if column is not None and column not in has:
        raise BadInputError(
            f"{path} has no column {column!r}{suggestion(column, has)}; it has {', '.join(has) or 'none'}"
        )
    chosen = column or next((one for one in NAME_COLUMNS if one in has), None)
    if chosen is None:
        return [str(number + 1) for number in range(len(frame))]
    return [str(value).strip() or str(number + 1) for number, value in enumerate(frame[chosen])]


def _features(data: bytes | None) -> list[dict[str, Any]]:
    try:
        features: list[dict[str, Any]] = [] if data is None else list(json.loads(data)["features"])
        for one in features:
            _ = one["properties"]["overlay"], one["properties"]["name"], one["geometry"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{OVERLAYS_PATH} cannot be read; restore an earlier version, or add the files again"
        ) from error
    return features


def _parsed(data: bytes | None) -> tuple[Overlay, ...]:
    found: dict[str, list[tuple[str, Any]]] = {}
    for one in _features(data):
        facts = one["properties"]
        found.setdefault(str(facts["overlay"]), []).append((str(facts["name"]), json.dumps(one["geometry"])))
    return tuple(
        Overlay(
            name,
            tuple(called for called, _ in rows),
            np.asarray(shapely.from_geojson([text for _, text in rows]), dtype=np.object_),
        )
        for name, rows in sorted(found.items())
    )
