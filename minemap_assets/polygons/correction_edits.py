"""Changing the file of corrections: entries are added at its end or taken out; every version of the file is kept."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import repair
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, Correction, parse_corrections

DIGITS = 8
"""Decimals of a degree that are written: a millimetre."""

_SAID_BY_FILE = ("action", "author", "date", "reason", "years", "polygon_id")


@dataclass(frozen=True)
class Saying:
    """What a person says of every correction that does not say it itself."""

    author: str
    date: str
    reason: str = ""
    action: str = ""
    years: tuple[int, ...] = ()


@dataclass(frozen=True)
class Added:
    """The entries that came to the file, and how many of those given stood there already."""

    new: tuple[Correction, ...]
    known: int


def drawn_corrections(path: Path, saying: Saying, *, layer: str | None = None, crs: str | None = None) -> list[Any]:
    """GeoJSON features from a vector file: what its columns (`action`, `author`, `date`, `reason`, `years`,
    `polygon_id`) do not say, `saying` does. Other columns are not looked at.

    Raises `BadInputError` for a feature without a polygon, and for whatever `parse_corrections` refuses.
    """
    frame = read_vector(path, layer=layer, crs=crs)
    columns = [name for name in _SAID_BY_FILE if name in frame.columns]
    features = []
    for number, row in enumerate(frame.to_dict("records"), start=1):
        area = repair(row[frame.geometry.name])
        if area is None:
            raise BadInputError(f"{path}: feature {number} is not a polygon; draw the ground that it concerns")
        own = {name: _plain(name, row[name]) for name in columns if not _is_blank(row[name])}
        features.append(feature_of(area, saying, own))
    parse_corrections(_collection(features), str(path))
    return features


def feature_of(
    area: BaseGeometry, saying: Saying, own: Mapping[str, Any], replaces: BaseGeometry | None = None
) -> dict[str, Any]:
    """One correction as a GeoJSON feature; `own` wins over `saying`."""
    said: dict[str, Any] = {"author": saying.author, "date": saying.date, "reason": saying.reason}
    if saying.action:
        said["action"] = saying.action
    if saying.years:
        said["years"] = list(saying.years)
    if replaces is not None:
        said["replaces"] = _geojson(replaces)
    return {"type": "Feature", "properties": {**said, **own}, "geometry": _geojson(area)}


def add_corrections(store: Store, features: Sequence[Any]) -> Added:
    """Put corrections at the end of the file; one that says the same of the same ground and years stands there already.

    Raises `BadInputError` where one is wrong, or the file that is there.
    """
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes | None:
        known = _features(inputs, data, store.root)
        new = _new(known, features)
        if not new:
            return data
        after = _collection([*known, *new])
        parse_corrections(after, f"{store.root}/{CORRECTIONS_PATH}")  # what cannot be read is not written
        return after

    change = inputs.change(CORRECTIONS_PATH, edit)
    count = len(_new(_features(inputs, change.before, store.root), features))
    every = parse_corrections(change.after, f"{store.root}/{CORRECTIONS_PATH}")
    return Added(every[len(every) - count :] if count else (), len(features) - count)


def withdraw_corrections(store: Store, numbers: Collection[int]) -> tuple[Correction, ...]:
    """Take corrections out of the file by their numbers; returns what they were.

    Raises `BadInputError` for a number that no correction has.
    """
    inputs = Inputs(store)
    where = f"{store.root}/{CORRECTIONS_PATH}"

    def edit(data: bytes | None) -> bytes | None:
        known = _features(inputs, data, store.root)
        absent = sorted(set(numbers) - set(range(1, len(known) + 1)))
        if absent:
            raise BadInputError(f"there is no correction {absent[0]}; {where} holds {len(known)}")
        left = [one for number, one in enumerate(known, start=1) if number not in numbers]
        return _collection(left)

    change = inputs.change(CORRECTIONS_PATH, edit)
    return tuple(one for one in parse_corrections(change.before, where) if one.number in numbers)


def _features(inputs: Inputs, data: bytes | None, root: str) -> list[Any]:
    with inputs.reading(CORRECTIONS_PATH, data):
        parse_corrections(data, f"{root}/{CORRECTIONS_PATH}")
    return [] if data is None else list(json.loads(data)["features"])


def _new(known: Sequence[Any], features: Sequence[Any]) -> list[Any]:
    there = {_ground(one) for one in known}
    new = []
    for one in features:
        if _ground(one) not in there:
            there.add(_ground(one))
            new.append(one)
    return new


def _ground(feature: Any) -> str:
    """What makes two corrections the same: what is done to which ground in which years."""
    said = {name: feature["properties"].get(name) for name in ("action", "years", "replaces")}
    return json.dumps([said, feature["geometry"]], sort_keys=True)


def _collection(features: Sequence[Any]) -> bytes:
    """GeoJSON, one feature a line, so that versions can be compared."""
    lines = ",\n".join(json.dumps(one, sort_keys=True, ensure_ascii=False) for one in features)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'.encode()


def _geojson(area: BaseGeometry) -> Any:
    rounded = shapely.set_precision(area, 10.0**-DIGITS)
    return json.loads(shapely.to_geojson(rounded if not rounded.is_empty else area))


def _is_blank(value: Any) -> bool:
    return value is None or (not isinstance(value, list | dict | np.ndarray) and (pd.isna(value) or not str(value)))


def _plain(name: str, value: Any) -> Any:
    """A cell of a table as JSON: dates as text, years as numbers or a list of them."""
    if name == "date":
        return str(value)[:10]
    if name != "years":
        return str(value)
    if isinstance(value, str):
        return _years(value)
    return [int(year) for year in value] if isinstance(value, list | np.ndarray) else [int(value)]


def _years(text: str) -> Any:
    """`2018`, `2018, 2020`, `2018-2020` or JSON; what is none of them is refused by whoever reads it."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if dash and first.isdigit() and last.isdigit():
        return {"from": int(first), "to": int(last)}
    parts = [part.strip() for part in text.split(",")]
    if all(part.isdigit() for part in parts):
        return [int(part) for part in parts]
    try:
        return json.loads(text)
    except ValueError:
        return text
