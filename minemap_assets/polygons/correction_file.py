"""The file of corrections: what a person said of mapped ground, read strictly.

It is GeoJSON in longitude and latitude, under `inputs/` as every other input is, so that each version of it is kept.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

import shapely
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import check_degrees
from minemap_assets.messages import shown
from minemap_assets.project.settings import EARLIEST_YEAR, LATEST_YEAR

CORRECTIONS_PATH = "inputs/corrections.geojson"
"""Where the lake keeps the file."""

Action = Literal["reject", "redraw"]

ACTIONS: tuple[Action, ...] = ("reject", "redraw")

PROPERTIES = ("action", "author", "date", "reason", "years", "polygon_id", "replaces")
"""What a feature of the file may say; the first four have to be there."""

_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)


@dataclass(frozen=True, eq=False)
class Correction:
    """What a person said of some ground (EPSG:4326), the `number`-th entry of the file from 1 on.

    `years` are those it holds for, `first` to `last` a span of them; without either it holds for all. `replaces` is the
    ground of what a redrawn outline comes in place of, beside its own. `polygon_id` is for people.
    """

    number: int
    action: Action
    author: str
    date: str
    reason: str
    geometry: Polygon | MultiPolygon
    years: tuple[int, ...] = ()
    first: int | None = None
    last: int | None = None
    replaces: Polygon | MultiPolygon | None = None
    polygon_id: str = ""

    def applies(self, year: int) -> bool:
        """Whether it holds for a year."""
        if self.years:
            return year in self.years
        return (self.first is None or self.first <= year) and (self.last is None or year <= self.last)

    @cached_property
    def ground(self) -> BaseGeometry:
        """The ground whose polygons it decides about."""
        return self.geometry if self.replaces is None else shapely.union(self.geometry, self.replaces)

    @cached_property
    def content(self) -> str:
        """Hash of what it does and where; who says so, why and when change no polygon."""
        parts = [self.action, self.geometry.wkb_hex, "" if self.replaces is None else self.replaces.wkb_hex]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    @property
    def years_told(self) -> str:
        """The years it holds for, in words."""
        if self.years:
            return ", ".join(map(str, self.years))
        if self.first is None and self.last is None:
            return "every year"
        if self.first is None or self.last is None:
            return f"from {self.first} on" if self.last is None else f"until {self.last}"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"

    def __str__(self) -> str:
        return f"correction {self.number} ({self.action}, {self.author}, {self.date})"


def parse_corrections(data: bytes | None, where: str = CORRECTIONS_PATH) -> tuple[Correction, ...]:
    """Corrections from the bytes of the GeoJSON file, in its order: later ones win. None without a file.

    Raises `BadInputError` naming the entry that is wrong, and what of it.
    """
    if data is None:
        return ()
    try:
        collection = json.loads(data)
        features = list(collection["features"])
        named = json.dumps(collection.get("crs"))
    except _MALFORMED as error:
        raise BadInputError(f"{where} is not a GeoJSON FeatureCollection; restore an earlier version") from error
    if named != "null" and "CRS84" not in named and "4326" not in named:
        raise BadInputError(f"{where} is in another CRS than longitude and latitude; write it in EPSG:4326")
    every = enumerate(features, start=1)
    return tuple(_correction(feature, number, f"{where}: correction {number}") for number, feature in every)


def _correction(feature: Any, number: int, where: str) -> Correction:
    try:
        properties = dict(feature["properties"])
        drawn = feature["geometry"]
    except _MALFORMED as error:
        raise BadInputError(f"{where} is no GeoJSON feature with properties and a geometry; see the others") from error
    unknown = sorted(set(map(str, properties)) - set(PROPERTIES))
    if unknown:
        raise BadInputError(f"{where} has the unknown property {shown(unknown[0])}; remove it")
    action = properties.get("action")
    if action not in ACTIONS:
        raise BadInputError(f"{where} has the action {shown(action)}; write reject or redraw")
    replaces = properties.get("replaces")
    if replaces is not None and action == "reject":
        raise BadInputError(f"{where} rejects, so that it replaces nothing; remove `replaces`, or write redraw")
    years, first, last = _years(properties.get("years"), where)
    outline = outline_of(drawn, where)
    old = None if replaces is None else outline_of(replaces, f"{where}, what it replaces,")
    if old is not None and shapely.area(shapely.intersection(outline, old)) <= 0.0:
        raise BadInputError(f"{where} shares no ground with what it replaces; draw the outline over it")
    return Correction(
        number=number,
        action=action,
        author=_text(properties, "author", where),
        date=_date(properties, where),
        reason=_text(properties, "reason", where),
        geometry=outline,
        years=years,
        first=first,
        last=last,
        replaces=old,
        polygon_id=str(properties.get("polygon_id") or ""),
    )


def _text(properties: Mapping[str, Any], name: str, where: str) -> str:
    value = properties.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{where} has no {name}; say it as text, because the tables rest on it")
    return value.strip()


def _date(properties: Mapping[str, Any], where: str) -> str:
    text = _text(properties, "date", where)
    try:
        return date.fromisoformat(text[:10] if "T" in text else text).isoformat()
    except ValueError as error:
        raise BadInputError(f"{where} has the date {shown(text)}; write it as 2026-11-22") from error


def _years(value: Any, where: str) -> tuple[tuple[int, ...], int | None, int | None]:
    """Years, first and last of them, from a list or `{"from": 2018, "to": 2020}`."""
    wrong = BadInputError(
        f'{where} has the years {shown(value)}; write a list such as [2018, 2019], or {{"from": 2018, "to": 2020}}'
    )
    if value is None:
        return (), None, None
    if isinstance(value, list) and value and all(map(_is_year, value)):
        return tuple(sorted(set(value))), None, None
    if not isinstance(value, dict) or not value or set(value) - {"from", "to"}:
        raise wrong
    first, last = value.get("from"), value.get("to")
    if not all(year is None or _is_year(year) for year in (first, last)):
        raise wrong
    if first is not None and last is not None and first > last:
        raise BadInputError(f"{where} holds from {first} to {last}, which is no year; swap them")
    return (), first, last


def _is_year(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and EARLIEST_YEAR <= value <= LATEST_YEAR


def outline_of(drawn: Any, where: str) -> Polygon | MultiPolygon:
    """A GeoJSON geometry as a valid two-dimensional area in degrees. Raises `BadInputError` beginning with `where`."""
    try:
        geometry = shapely.force_2d(shape(drawn))
    except (*_MALFORMED, shapely.errors.ShapelyError) as error:
        raise BadInputError(f"{where} has no geometry that can be read; draw a polygon") from error
    if not isinstance(geometry, Polygon | MultiPolygon) or geometry.is_empty:
        raise BadInputError(f"{where} is not a polygon but {geometry.geom_type}; draw the ground that it concerns")
    check_degrees(geometry.bounds, where)
    if not geometry.is_valid or geometry.area <= 0.0:
        raise BadInputError(f"{where} is not a valid polygon ({shapely.is_valid_reason(geometry)}); redraw it")
    return geometry
