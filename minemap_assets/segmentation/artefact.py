"""The model as files: a folder that holds all that prediction needs, named by the hash of its content."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import digest, file_sha256
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.settings import StrictModel
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.scale import TOP

FORMAT = 3
"""Raised when an older minemap could not use what this one writes. Format 1: one SegFormer at the chips' resolution.
Format 2: no counts of held-out pixels.
"""

MODEL = "model"
CARD = "model.json"
LOG = "training_log.parquet"
NEEDED = ("config.json", CARD)
"""Without these a folder is no model; the others are weights, and what is told of its training."""


Counts = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=TOP + 1, max_length=TOP + 1)]
"""Pixels a stored value of probability, 0 to 254."""


class HeldOutCounts(StrictModel):
    """Pixels of held-out ground by calibrated stored probability (0 to 254), labelled mine and labelled other: what any
    threshold finds there follows from them.
    """

    mine: Counts
    other: Counts

    @classmethod
    def of(cls, histogram: Histogram) -> "HeldOutCounts":
        """The counts of a histogram of stored probabilities."""
        return cls(mine=tuple(map(int, histogram.mine)), other=tuple(map(int, histogram.other)))

    @property
    def histogram(self) -> Histogram:
        """The counts, for scores."""
        return Histogram(np.array(self.mine, dtype=np.int64), np.array(self.other, dtype=np.int64))


class ProductCard(StrictModel):
    """What the model knows of one product: input scale, calibration, thresholds by name, scores behind them.

    `held_out` are the pixels that the thresholds were chosen on; a model of an older minemap, one that came without
    them, and one that had no labelled mine there, have none. `chosen_on` names the predictions that calibration and
    thresholds come from: `folds` for those of models that had not seen the ground, `validation` for held-out ground,
    `train` where there was no other.
    """

    normalisation: Normalisation
    calibration: Calibration
    operating_points: dict[str, float]
    chosen_on: str
    metrics: dict[str, dict[str, float | None]]
    held_out: HeldOutCounts | None = None


TRAINED_HERE = "trained in this project"
"""The origin of a model that came from nowhere else."""


class ModelCard(StrictModel):
    """What a model is, for programs and people.

    `reduction` pixels of a chip a side make one of the network's. `recipe` is how it was trained in every detail and
    `settings` what of that was set by hand. `inputs` are hashes of what it saw, `labelled_sites` their number of sites.
    `origin` says where it was made and `licence` what its weights may be used for. `notes` are what to be careful with.
    """

    format: int = FORMAT
    bands: tuple[str, ...]
    products: dict[str, ProductCard]
    reduction: int = 1
    recipe: dict[str, Any] = Field(default_factory=dict)
    labelled_sites: int | None = None
    origin: str = TRAINED_HERE
    licence: str = ""
    best_step: int | None = None
    validation_miou: float | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model folder that was read and checked; `version` is the hash of its content."""

    folder: Path
    card: ModelCard
    version: str

    def product(self, name: str) -> ProductCard:
        """What the model knows of a product. Raises `BadInputError` where it never saw it."""
        try:
            return self.card.products[name]
        except KeyError:
            raise BadInputError(
                f"the model was not trained on {name} (but on {', '.join(sorted(self.card.products))}); add it to the "
                "reference products, train and promote again"
            ) from None

    def threshold(self, product: str, operating_point: str | float) -> float:
        """The threshold of an operating point: one of the model's names, or the user's own number."""
        known = self.product(product).operating_points
        if isinstance(operating_point, float):
            return operating_point
        if operating_point not in known:
            raise BadInputError(f"the model has no operating point {operating_point!r}; it has {', '.join(known)}")
        return known[operating_point]


def write_card(card: ModelCard, folder: Path) -> None:
    """Write `model.json`."""
    import json

    text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def content_version(folder: Path) -> str:
    """Hash of names and bytes of all files of a model folder."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return digest([[p.relative_to(folder).as_posix(), file_sha256(p)] for p in paths])


def model_files(folder: Path) -> tuple[str, ...]:
    """Names of all files of a model folder."""
    return tuple(sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()))


def open_model(folder: Path) -> Model:
    """Read and check a model folder. Raises `BadInputError` where it is not one, or a newer one."""
    lacking = [name for name in NEEDED if not (folder / name).is_file()]
    if lacking:
        raise BadInputError(f"{folder} is not a minemap model: it has no {', '.join(lacking)}; train or promote again")
    return Model(folder, _parsed(folder / CARD), content_version(folder))


def load_model(partition: Partition) -> Model:
    """The model of a `segmentation_model` or `promoted_model` partition."""
    return open_model(partition.tree(MODEL))


def read_card(partition: Partition) -> ModelCard:
    """The card of such a partition; its weights are not looked at. Raises `BadInputError` for a newer or damaged."""
    return _parsed(partition.file(f"{MODEL}/{CARD}"))


def _parsed(path: Path) -> ModelCard:
    import json

    try:
        raw: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if int(raw.get("format", 0)) > FORMAT:
            raise BadInputError(
                f"the model in {path.parent} has format {raw['format']}, this minemap reads up to {FORMAT}; update "
                "minemap"
            )
        return ModelCard.model_validate(raw)
    except (ValueError, TypeError, AttributeError, ValidationError) as error:
        raise BadInputError(f"{path} is not a minemap model card; train or promote the model again") from error
