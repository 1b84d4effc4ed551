"""Sampling locations: points that people labelled mine or other, to train and judge a patch classifier."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.sites.geohash import encode

POINTS_PATH = "inputs/detection/sampling_points.geojson"

MINE = frozenset({"1", "mine", "mining", "positive", "true", "yes", "pos"})
OTHER = frozenset({"0", "other", "no mine", "not mine", "negative", "false", "no", "neg"})

CLASS_COLUMNS = ("class", "label", "mine", "is_mine", "y")
PLACE_COLUMNS = ("place", "group", "region", "split_group")


@dataclass(frozen=True, eq=False)
class SamplingPoints:
    """Points (n) in degrees with their class, and the place that each belongs to: points of one place stay together."""

    longitudes: npt.NDArray[np.float64]
    latitudes: npt.NDArray[np.float64]
    mine: npt.NDArray[np.bool_]
    places: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.mine)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Geohashes of the points: cells of 5 x 5 m."""
        return tuple(f"point-{code}" for code in encode(self.longitudes, self.latitudes, _PRECISION))

    def of(self, chosen: npt.NDArray[np.int64]) -> "SamplingPoints":
        """Some of them."""
        places = tuple(self.places[number] for number in chosen)
        return SamplingPoints(self.longitudes[chosen], self.latitudes[chosen], self.mine[chosen], places)


_PRECISION = 9

PLACE_DEGREES = 0.5
"""Size of the squares that are places where a file names none: 55 km, so that what is trained on is not next door."""


def read_points(path: Path, *, column: str | None = None, crs: str | None = None) -> SamplingPoints:
    """The points of a vector file with a column of classes (`class`, `label`, `mine`, or `column`).

    Raises `BadInputError` for a file without points, without a column of classes, or with a class that is neither.
    """
    frame = read_vector(path, crs=crs)
    shapes = frame.geometry.to_numpy()
    if not len(frame) or not (shapely.get_type_id(shapes) == 0).all():
        raise BadInputError(f"{path} holds no sampling points: every feature has to be a point")
    name = column or next((one for one in CLASS_COLUMNS if one in frame.columns), None)
    if name is None or name not in frame.columns:
        has = ", ".join(sorted(map(str, set(frame.columns) - {"geometry"}))) or "none"
        raise BadInputError(
            f"{path} has no column {column or 'of classes'} (its columns: {has}); give each point a `class`, mine or "
            "other"
        )
    mine = np.array([_is_mine(value, number, path) for number, value in enumerate(frame[name])], bool)
    longitudes, latitudes = shapely.get_x(shapes), shapely.get_y(shapes)
    place = next((one for one in PLACE_COLUMNS if one in frame.columns and one != name), None)
    places = tuple(str(p) for p in frame[place]) if place else squares(longitudes, latitudes)
    return unique(SamplingPoints(longitudes, latitudes, mine, places), path)


def unique(points: SamplingPoints, path: Path) -> SamplingPoints:
    """Each point once. Raises `BadInputError` where one is a mine and none."""
    first: dict[str, int] = {}
    for number, one in enumerate(points.ids):
        before = first.setdefault(one, number)
        if points.mine[before] != points.mine[number]:
            raise BadInputError(
                f"{path}: points {before + 1} and {number + 1} are the same place, once mine, once other"
            )
    return once(points)


def once(points: SamplingPoints) -> SamplingPoints:
    """Points of the same cell of 5 m as one: the first of them."""
    first = {one: number for number, one in reversed(list(enumerate(points.ids)))}
    return points.of(np.array(sorted(first.values()), np.int64))


def squares(
    longitudes: npt.NDArray[np.float64], latitudes: npt.NDArray[np.float64], degrees: float = PLACE_DEGREES
) -> tuple[str, ...]:
    """The square of so many degrees that each point lies in."""
    cells = np.floor(np.column_stack([longitudes, latitudes]) / degrees).astype(int)
    return tuple(f"{x}_{y}" for x, y in cells.tolist())


def register_points(store: Store, points: SamplingPoints) -> None:
    """Make points the project's, in the place of those it had."""
    features = [
        {
            "type": "Feature",
            "properties": {"class": "mine" if mine else "other", "place": place},
            "geometry": {"type": "Point", "coordinates": [round(float(x), 7), round(float(y), 7)]},
        }
        for x, y, mine, place in zip(points.longitudes, points.latitudes, points.mine, points.places, strict=True)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1, sort_keys=True) + "\n"
    Inputs(store).change(POINTS_PATH, lambda _: text.encode())


def registered_points(project: Project) -> SamplingPoints | None:
    """The project's points; None without any."""
    return project.parsed(POINTS_PATH, lambda data: None if data is None else _parsed(data))


def points_by_region(points: SamplingPoints, regions: Mapping[str, Region]) -> dict[str, SamplingPoints]:
    """Points of each region that has some; in ground of several they belong to the first by its slug."""
    owner = np.full(len(points), "", dtype=object)
    for slug in sorted(regions):
        inside = shapely.intersects_xy(regions[slug].geometry, points.longitudes, points.latitudes)
        owner[(owner == "") & inside] = slug
    return {slug: points.of(np.flatnonzero(owner == slug)) for slug in sorted(set(owner.tolist()) - {""})}


def check_inside(points: SamplingPoints, regions: Mapping[str, Region], path: Path) -> None:
    """Raise `BadInputError` for points outside of all regions: no season says when to look there."""
    inside = sum(len(one) for one in points_by_region(points, regions).values())
    if inside < len(points):
        raise BadInputError(
            f"{path}: {len(points) - inside} of {len(points)} points lie in no region; add one around them with "
            "`minemap regions add`"
        )


def _parsed(data: bytes) -> SamplingPoints:
    try:
        features: list[Any] = json.loads(data)["features"]
        xy = np.array([one["geometry"]["coordinates"][:2] for one in features], np.float64).reshape(-1, 2)
        mine = np.array([one["properties"]["class"] == "mine" for one in features], bool)
        places = tuple(str(one["properties"]["place"]) for one in features)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{POINTS_PATH} cannot be read; register the points again") from error
    return SamplingPoints(xy[:, 0], xy[:, 1], mine, places)


def _is_mine(value: object, number: int, path: Path) -> bool:
    text = str(value).strip().lower().removesuffix(".0")
    if text in MINE:
        return True
    if text in OTHER:
        return False
    said = "no class" if value is None or text in {"", "nan", "none"} else f"the class {value!r}"
    raise BadInputError(f"{path}: point {number + 1} has {said}; give it one of mine, other")


@dataclass(frozen=True)
class FromTruth:
    """How points are drawn where outlines are known: so many in each mine, so many `others` in all, these at least
    `away_degrees` from every outline; and the size of the squares that are places.
    """

    per_mine: int
    others: int
    away_degrees: float = 0.006
    place_degrees: float = PLACE_DEGREES
    seed: int = 0


def points_from_truth(
    mines: npt.NDArray[np.object_], avoided: npt.NDArray[np.object_], outline: BaseGeometry, wanted: FromTruth
) -> SamplingPoints:
    """Points inside outlines of mines (n), and points of a region that are away from these and from all that is to be
    avoided (m).

    What lies outside the outlines may still be a mine that nobody knows of: such a point is wrong, and rare.
    """
    rng = np.random.default_rng(wanted.seed)
    inside = np.concatenate([np.zeros((0, 2)), *(_within(shape, wanted.per_mine, rng) for shape in mines)])
    near = shapely.union_all(shapely.buffer(np.concatenate([mines, avoided]), wanted.away_degrees))
    free = shapely.difference(outline, near)
    outside = np.zeros((0, 2)) if free.is_empty else _within(free, wanted.others, rng)
    xy = np.concatenate([inside, outside])
    places = squares(xy[:, 0], xy[:, 1], wanted.place_degrees)
    return SamplingPoints(xy[:, 0], xy[:, 1], np.arange(len(xy)) < len(inside), places)


def together(parts: Sequence[SamplingPoints]) -> SamplingPoints:
    """Points of several parts as one."""
    return SamplingPoints(
        np.concatenate([np.zeros(0), *(one.longitudes for one in parts)]),
        np.concatenate([np.zeros(0), *(one.latitudes for one in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(one.mine for one in parts)]),
        tuple(place for one in parts for place in one.places),
    )


def _within(shape: BaseGeometry, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """So many points of an area, each equally likely in degrees."""
    west, south, east, north = shape.bounds
    found = np.zeros((0, 2))
    for _ in range(1000):
        tried = rng.uniform((west, south), (east, north), (4 * count + 16, 2))
        found = np.concatenate([found, tried[shapely.contains_xy(shape, tried)]])
        if len(found) >= count:
            break
    return found[:count]
