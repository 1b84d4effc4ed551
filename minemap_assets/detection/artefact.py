"""The patch classifier as files: a folder that holds all that scoring needs, named by the hash of its content."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Manifest
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel
from minemap_assets.segmentation.artefact import content_version
from minemap_assets.segmentation.calibration import Calibration

FORMAT = 1
"""Raised when an older minemap could not use what this one writes."""

CLASSIFIER = "classifier"
CARD = "classifier.json"


class Thresholds(StrictModel):
    """Scores from which a patch counts: `kept` for the table of patches, `dissolved` for outlines; `isolated` for one
    without five others within 3 km, where that is asked for.
    """

    kept: float = Field(ge=0.0, lt=1.0)
    dissolved: float = Field(ge=0.0, lt=1.0)
    isolated: float | None = Field(None, ge=0.0, le=1.0)


class ClassifierCard(StrictModel):
    """What a classifier is, for programs and people.

    `bands` are what it reads of `product`, in its order. `thresholds` are those chosen on held-out ground, where there
    was any. `verdict` says what it was worth there, in one sentence that begins with a grade. `origin` says where it
    was made, `licence` what its weights may be used for, `attribution` who is to be named. `metrics` are the scores
    behind the verdict; `inputs` hashes of what it saw.
    """

    format: int = FORMAT
    product: str
    bands: tuple[str, ...]
    members: tuple[str, ...]
    calibration: Calibration = Calibration()
    thresholds: Thresholds | None = None
    verdict: str
    origin: str
    licence: str
    attribution: str = ""
    metrics: dict[str, float | int | None] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Classifier:
    """A classifier folder that was read and checked; `version` is the hash of its content."""

    folder: Path
    card: ClassifierCard
    version: str


def write_card(card: ClassifierCard, folder: Path) -> None:
    """Write `classifier.json`."""
    text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def open_classifier(folder: Path) -> Classifier:
    """Read and check a folder. Raises `BadInputError` where it is none, or a newer one."""
    return Classifier(folder, _parsed(folder / CARD), content_version(folder))


def load_classifier(partition: Partition) -> Classifier:
    """The classifier of a `patch_classifier` partition."""
    return open_classifier(partition.tree(CLASSIFIER))


def read_card(partition: Partition) -> ClassifierCard:
    """Its card; its weights are not looked at."""
    return _parsed(partition.file(f"{CLASSIFIER}/{CARD}"))


def _parsed(path: Path) -> ClassifierCard:
    try:
        raw: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if int(raw.get("format", 0)) > FORMAT:
            raise BadInputError(
                f"the classifier in {path.parent} has format {raw['format']}, this minemap reads up to {FORMAT}; "
                "update minemap"
            )
        return ClassifierCard.model_validate(raw)
    except (OSError, ValueError, TypeError, AttributeError, ValidationError) as error:
        raise BadInputError(f"{path} describes no patch classifier; import its weights or train it again") from error


def told_verdict(_: Project, manifest: Manifest) -> dict[str, str]:
    """What is to be known first of everything that was made with a classifier."""
    verdict = manifest.summary.get("verdict")
    return {} if verdict is None else {"verdict": str(verdict)}
