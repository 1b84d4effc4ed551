"""What there is to label: the points of a sample, points of a file, or patches that a scan was sampled by.

A sample lies in `inputs/samples/`, where `minemap sample draw` put it. Other tasks are written down when somebody
begins with them, in `inputs/labelling/<task>/task.json`, so that they stay what they are when a file moves or a scan is
made again. Nothing of the maps is in a task: who labels must not be led.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import shapely
from pydantic import Field, ValidationError

from minemap_assets.detection.assets import DETECTION_SAMPLE
from minemap_assets.detection.sampling import SAMPLE
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.messages import suggestion
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel
from minemap_assets.reference.points import DESIGN
from minemap_assets.reference.polygon_sets import text_of
from minemap_assets.validation.sample_files import sample_design, sample_names

FOLDER = "inputs/labelling"
TASK_FILE = "task.json"

Kind = Literal["sample", "points", "detections"]

DIGITS = 7
"""Decimals of a degree that are kept: a centimetre."""


@dataclass(frozen=True)
class TaskPoint:
    """A place to be labelled, in degrees."""

    point_id: str
    longitude: float
    latitude: float


@dataclass(frozen=True)
class Task:
    """Points in the order in which they are shown, and the years that are asked of each."""

    name: str
    kind: Kind
    years: tuple[int, ...]
    points: tuple[TaskPoint, ...]

    @property
    def questions(self) -> int:
        """How many answers there are to give."""
        return len(self.years) * len(self.points)


class KeptPoint(StrictModel):
    """A point of a task that was written down, with what has to be handed on with its label."""

    point_id: str
    longitude: float
    latitude: float
    facts: dict[str, str | float | int | None] = Field(default_factory=dict)


class KeptTask(StrictModel):
    """A task that was written down; `origin` says where its points came from."""

    kind: Literal["points", "detections"]
    origin: str
    years: tuple[int, ...]
    points: tuple[KeptPoint, ...]


def task_path(task: str) -> str:
    """Where a task lies."""
    return f"{FOLDER}/{task}/{TASK_FILE}"


def task_names(project: Project) -> tuple[str, ...]:
    """Every task: samples first, then the others, each by name."""
    found = project.lake.store.entries(FOLDER)
    kept = sorted(path.split("/")[2] for path in found if path.endswith(f"/{TASK_FILE}"))
    return (*sample_names(project), *kept)


def open_task(project: Project, name: str) -> Task:
    """A task by its name. Raises `BadInputError` where there is none, or it is damaged."""
    if name in sample_names(project):
        return sample_task(project, name)
    known = task_names(project)
    if name not in known:
        raise BadInputError(
            f"there is nothing to label of the name {name!r}{suggestion(name, known)}; `minemap label list` shows what "
            "there is, and `minemap sample draw` draws a sample"
        )
    kept = kept_task(project, name)
    points = tuple(TaskPoint(one.point_id, one.longitude, one.latitude) for one in kept.points)
    return Task(name, kept.kind, kept.years, points)


def sample_task(project: Project, name: str) -> Task:
    """The points of a sample, in the random order in which they were drawn; one question for each of its years."""
    design = sample_design(project, name)
    years = (design.start_year,) if design.single else (design.start_year, design.end_year)
    points = tuple(TaskPoint(one.point_id, one.longitude, one.latitude) for one in design.points)
    return Task(name, "sample", years, points)


def kept_task(project: Project, name: str) -> KeptTask:
    """A task that was written down. Raises `BadInputError` where it is damaged."""
    return project.parsed(task_path(name), partial(_parsed, f"{project.lake.store.root}/{task_path(name)}"))


def _parsed(where: str, data: bytes | None) -> KeptTask:
    try:
        return KeptTask.model_validate_json(data or b"")
    except ValidationError as error:
        raise BadInputError(f"{where} cannot be read; restore an earlier version") from error


def keep_task(store: Store, name: str, task: KeptTask) -> None:
    """Write a task down."""
    text = json.dumps(task.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    Inputs(store).put(task_path(name), f"{text}\n".encode())


def task_of_points(path: Path, years: Sequence[int]) -> tuple[str, KeptTask]:
    """Points of a vector file, asked for each of the years, and the task's name: that of the file, with a checksum.

    Columns that say how the points were drawn (`stratum`, `stratum_area`, `weight`) are kept for the labels; labels
    that the file has already are not looked at. Raises `BadInputError` for a file without points.
    """
    frame = read_vector(path)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    if (shapely.get_type_id(shapes) != shapely.GeometryType.POINT).any() or shapely.is_empty(shapes).any():
        raise BadInputError(f"{path} has features that are no points; give a file of points alone")
    ids = _ids(frame, path)
    columns = [name for name in DESIGN if name in frame.columns]
    points = tuple(
        KeptPoint(
            point_id=ids[row],
            longitude=round(float(shapely.get_x(shape)), DIGITS),
            latitude=round(float(shapely.get_y(shape)), DIGITS),
            facts={name: _plain(frame[name].iloc[row]) for name in columns},
        )
        for row, shape in enumerate(shapes)
    )
    task = KeptTask(kind="points", origin=path.name, years=tuple(sorted(set(years))), points=points)
    return f"{_slug(path.stem)}-{_checksum(task)}", task


def _ids(frame: gpd.GeoDataFrame, path: Path) -> list[str]:
    """Ids of the file, or numbers."""
    if "point_id" not in frame.columns:
        width = max(4, len(str(len(frame))))
        return [f"p{row + 1:0{width}d}" for row in range(len(frame))]
    ids = [text_of(value) for value in frame["point_id"]]
    wrong = next((one for one in ids if not one or ids.count(one) > 1), None)
    if wrong is not None:
        said = f"the point {wrong!r} more than once" if wrong else "a point without a point_id"
        raise BadInputError(f"{path} holds {said}; give every point an id of its own, or remove the column")
    return ids


def task_of_detections(project: Project, year: int) -> tuple[str, KeptTask]:
    """The patches that were drawn from the scan of a year, asked for that year. Raises `BadInputError` without any."""
    found = project.lake.find(DETECTION_SAMPLE.ref((str(year),)))
    if found is None:
        raise BadInputError(f"{year} has no sample of detections; scan it with `minemap scan run --years {year}`")
    features = json.loads(found.file(SAMPLE).read_text(encoding="utf-8"))["features"]
    if not features:
        raise BadInputError(f"the scan of {year} has no patch to label; scan a region with `minemap scan run`")
    points = tuple(_patch(one) for one in features)
    task = KeptTask(kind="detections", origin=f"scan of {year}", years=(year,), points=points)
    return f"detections-{year}-{_checksum(task)}", task


def _patch(feature: Mapping[str, Any]) -> KeptPoint:
    """A patch by its middle, with its feature, which goes back to `minemap scan accuracy` with a class."""
    middle = shapely.from_geojson(json.dumps(feature["geometry"])).centroid
    return KeptPoint(
        point_id=str(feature["properties"]["sample_id"]),
        longitude=round(middle.x, DIGITS),
        latitude=round(middle.y, DIGITS),
        facts={"feature": json.dumps(feature, sort_keys=True)},
    )


def _checksum(task: KeptTask) -> str:
    return hashlib.sha256(json.dumps(task.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:8]


def _slug(name: str) -> str:
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:40] or "points"


def _plain(value: Any) -> str | float | None:
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return None if np.isnan(value) else float(value)
    return text_of(value) or None
