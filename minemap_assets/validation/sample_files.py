"""Samples of an area estimate: how each was drawn, and what people said of its points; versioned inputs of the lake.

`inputs/samples/samples.json` names the samples, `inputs/samples/<sample>/design.json` holds how one was drawn, with its
strata, their areas and its points, and `labels.json` beside it what came back. An estimate reads nothing else of how
the points came about, so that it can be made again after every map was remade.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel

FOLDER = "inputs/samples"
SAMPLES_PATH = f"{FOLDER}/samples.json"

MapClass = Literal["mine", "other", "not observed"]
Confidence = Literal["high", "medium", "low", ""]

T = TypeVar("T", bound=StrictModel)


class DrawnStratum(StrictModel):
    """A stratum as it was when the sample was drawn; areas in km2."""

    iso3: str
    kind: str
    area_km2: float
    points: int
    mapped_start_km2: float
    mapped_end_km2: float
    mapped_both_km2: float


class DrawnPoint(StrictModel):
    """A point: its place in degrees, its stratum (its number), site, and what the maps said of it when it was drawn."""

    point_id: str
    longitude: float
    latitude: float
    stratum: int
    region: str
    site_id: str
    mapped_start: MapClass
    mapped_end: MapClass


class SampleDesign(StrictModel):
    """How a sample was drawn. `start_year` and `end_year` are the same for a sample of one year."""

    start_year: int
    end_year: int
    regions: tuple[str, ...]
    seed: int
    minimum: int
    allocation: str
    near_boundary_m: float
    left_out_km2: float
    strata: tuple[DrawnStratum, ...]
    points: tuple[DrawnPoint, ...]

    @property
    def name(self) -> str:
        """The sample's name: its years, and the start of its checksum."""
        years = str(self.start_year) if self.single else f"{self.start_year}-{self.end_year}"
        return f"{years}-{hashlib.sha256(_bytes(self)).hexdigest()[:8]}"

    @property
    def single(self) -> bool:
        """True for a sample of one year."""
        return self.start_year == self.end_year

    @property
    def frame_km2(self) -> float:
        """Area of all strata."""
        return sum(s.area_km2 for s in self.strata)


class PointLabel(StrictModel):
    """What a person says of a point in both years (None: not labelled), who, and how sure."""

    point_id: str
    start: bool | None
    end: bool | None
    interpreter: str = ""
    confidence: Confidence = ""
    note: str = ""


class SampleLabels(StrictModel):
    """Labels of a sample, in order of their points."""

    labels: tuple[PointLabel, ...] = ()


class SampleNames(StrictModel):
    """Names of the samples, sorted."""

    samples: tuple[str, ...] = ()


def design_path(sample: str) -> str:
    """Where a sample's design lies."""
    return f"{FOLDER}/{sample}/design.json"


def labels_path(sample: str) -> str:
    """Where a sample's labels lie."""
    return f"{FOLDER}/{sample}/labels.json"


def sample_names(project: Project) -> tuple[str, ...]:
    """Names of the project's samples."""
    return _read(project, SAMPLES_PATH, SampleNames).samples


def sample_design(project: Project, sample: str) -> SampleDesign:
    """How a sample was drawn. Raises `BadInputError` for one that is not known, or damaged."""
    known = sample_names(project)
    if sample not in known:
        raise BadInputError(f"there is no sample {sample!r}; the samples are {', '.join(known) or 'none yet'}")
    if project.input(design_path(sample)) is None:
        raise BadInputError(
            f"{project.lake.store.root}/{design_path(sample)} is gone; restore it, or take the sample from "
            f"{SAMPLES_PATH}"
        )
    return _read(project, design_path(sample), SampleDesign)


def sample_labels(project: Project, sample: str) -> dict[str, PointLabel]:
    """Labels of a sample by point; empty where none came back yet."""
    return {label.point_id: label for label in _read(project, labels_path(sample), SampleLabels).labels}


def register_sample(store: Store, design: SampleDesign) -> bool:
    """Write a sample's design, then its name; returns False where it was there already."""
    inputs = Inputs(store)
    inputs.put(design_path(design.name), _bytes(design))

    def edit(data: bytes | None) -> bytes:
        names = _parsed(SAMPLES_PATH, store.root, SampleNames, data).samples
        return _bytes(SampleNames(samples=tuple(sorted({*names, design.name}))))

    change = inputs.change(SAMPLES_PATH, edit)
    return design.name not in _parsed(SAMPLES_PATH, store.root, SampleNames, change.before).samples


def register_labels(store: Store, sample: str, labels: Sequence[PointLabel]) -> int:
    """Put labels in the place of those that were there for the same points; returns how many points have one now."""

    def edit(data: bytes | None) -> bytes:
        before = _parsed(labels_path(sample), store.root, SampleLabels, data).labels
        merged = {label.point_id: label for label in (*before, *labels)}
        return _bytes(SampleLabels(labels=tuple(merged[point] for point in sorted(merged))))

    after = Inputs(store).change(labels_path(sample), edit).after
    return len(_parsed(labels_path(sample), store.root, SampleLabels, after).labels)


def edited_labels(root: str, sample: str, changes: Mapping[str, PointLabel | None], data: bytes | None) -> bytes:
    """A file of labels with those of some points changed, or taken out where None stands for them."""
    before = labels_in(root, sample, data)
    merged = {label.point_id: label for label in before if label.point_id not in changes}
    merged |= {point: label for point, label in changes.items() if label is not None}
    return _bytes(SampleLabels(labels=tuple(merged[point] for point in sorted(merged))))


def labels_in(root: str, sample: str, data: bytes | None) -> tuple[PointLabel, ...]:
    """Labels of a file; `root` is the lake, for messages."""
    return _parsed(labels_path(sample), root, SampleLabels, data).labels


def sample_contents(project: Project) -> Mapping[str, str]:
    """Checksums of everything that estimates are made from, by path."""
    names = sample_names(project)
    paths = [SAMPLES_PATH, *(path(name) for name in names for path in (design_path, labels_path))]
    return {path: hashlib.sha256(project.input(path) or b"").hexdigest()[:16] for path in paths}


def _read(project: Project, path: str, model: type[T]) -> T:
    parse: Callable[[bytes | None], T] = partial(_parsed, path, project.lake.store.root, model)
    return project.parsed(path, parse)


def _parsed(path: str, root: str, model: type[T], data: bytes | None) -> T:
    try:
        return model.model_validate({}) if data is None else model.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(f"{root}/{path} cannot be read; restore an earlier version") from error


def _bytes(model: StrictModel) -> bytes:
    text = json.dumps(model.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()
