"""What every file of the dataset says of itself: the verdict on the model first, then where it stands and its terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING

from minemap_assets.graph.context import InputContext
from minemap_assets.publication.attribution import Attribution, attributions
from minemap_assets.publication.config import DatasetConfig
from minemap_assets.publication.conflicts import Conflict, conflicts
from minemap_assets.publication.dataset.dataset_part import WHOLE, Part, listed, runs_of
from minemap_assets.publication.licences import Licence, licence_named
from minemap_assets.publication.published import by_year, mapped, one_of
from minemap_assets.publication.standing import Standing, standing_of
from minemap_assets.segmentation.assets import MODEL_EVALUATION
from minemap_assets.segmentation.metrics import ALL, METRICS, MODEL_METHOD
from minemap_assets.segmentation.verdict import POINT
from minemap_assets.tables.assets import SITE_PANEL

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 3
"""Regions that a title names; of more it gives the number."""

MISSING_IS_NOT_ZERO = "An empty number was not observed or is not known; it is never zero."

HOW_TO_READ = (
    "Sandbars, ponds, quarries, landslides and bare fields look like mines to a model. An outline says what the images "
    "show and nothing on whether mining was legal; a mine that is no longer visible need not be closed. Outlines exist "
    "only at known sites: no outline elsewhere says nothing."
)


@dataclass(frozen=True)
class HeldOutScore:
    """What the model scored on places that it was not trained on, for one product, at the operating point of the maps:
    intersection over union with its 95 % interval (None for too few places), precision and recall.
    """

    product: str
    places: int
    iou: float
    low: float | None
    high: float | None
    precision: float | None
    recall: float | None

    @property
    def text(self) -> str:
        """The score in words."""
        interval = (
            "" if self.low is None or self.high is None else f" (95 % interval {self.low:.2f} to {self.high:.2f})"
        )
        more = (
            ""
            if self.precision is None or self.recall is None
            else (f", precision {self.precision:.2f}, recall {self.recall:.2f}")
        )
        places = f"{self.places} held-out place{'' if self.places == 1 else 's'}"
        return f"{self.product}: IoU {self.iou:.2f}{interval}{more} on {places}"


@dataclass(frozen=True)
class Facts:
    """The dataset in words: see `metadata` for what of it stands in every file.

    `years` are those that were mapped. Of a part, `part` says in sentences which it is, and `regions` are the names of
    its regions where it does not have all.
    """

    config: DatasetConfig
    standing: Standing
    scores: tuple[HeldOutScore, ...]
    years: tuple[int, ...]
    inputs: tuple[Attribution, ...]
    conflicts: tuple[Conflict, ...]
    part: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    @property
    def database_licence(self) -> Licence:
        """The licence of the whole."""
        return licence_named(self.config.licence_database, self.config.licence_address or "")

    @property
    def contents_licence(self) -> Licence:
        """The licence of the single facts."""
        return licence_named(self.config.licence_contents, self.config.licence_address or "")

    @property
    def held_out(self) -> str:
        """The held-out scores in words."""
        return "; ".join(score.text for score in self.scores) or "there is none"

    @property
    def stamp(self) -> date:
        """The date of files that need one: the last day of the last year, so that equal data give equal bytes."""
        return date(max(self.years), 12, 31)

    @property
    def title(self) -> str:
        """The title with the years, and of a part which regions it is of."""
        if not self.part:
            return f"{self.config.title}, {runs_of(self.years)}"
        names = listed(self.regions) if len(self.regions) <= _NAMED else f"{len(self.regions)} regions"
        return f"{self.config.title}, {runs_of(self.years)}{f', {names}' if names else ''} (part of a larger dataset)"

    @property
    def description(self) -> str:
        """What the dataset is, and which part of it this is."""
        return " ".join((self.config.description, *self.part))

    def metadata(self) -> Mapping[str, str]:
        """What stands in every file, by name."""
        licence = f"{self.database_licence.spdx} (database), {self.contents_licence.spdx} (contents)"
        return {
            "verdict_on_the_model": self.standing.verdict,
            "held_out_score": self.held_out,
            "review": str(self.standing.release),
            "title": self.title,
            "description": self.description,
            "model_version": self.standing.version,
            "missing_values": MISSING_IS_NOT_ZERO,
            "how_to_read": HOW_TO_READ,
            "licence": licence,
            "attribution": "see ATTRIBUTION.md and LICENCE.md beside this file",
            "made_with": f"minemap {version('minemap')}",
        }


def facts_of(context: InputContext, part: Part = WHOLE) -> Facts:
    """What is to be said of a project's dataset, or of a part of it."""
    project, held = context.project, part.of(context)
    config = project.section(DatasetConfig)
    standing, inputs = standing_of(context), attributions(held)
    years = tuple(sorted({year for region, year in mapped(held) if part.holds(region, year)}))
    return Facts(
        config,
        standing,
        _scores(context, standing.version),
        years or tuple(by_year(held, SITE_PANEL)) or tuple(project.closed_years())[-1:],
        inputs,
        conflicts(inputs, config.licence_database),
        part.sentences(project),
        part.names(project),
    )


def _scores(context: InputContext, version_in_use: str) -> tuple[HeldOutScore, ...]:
    """Scores of the model in use; none where another model was scored last."""
    import pandas as pd

    found = one_of(context, MODEL_EVALUATION)
    if found is None or str(found.manifest.summary.get("model_version", "")) != version_in_use:
        return ()
    rows = pd.read_parquet(found.file(METRICS))
    of_maps = (rows["method"] == MODEL_METHOD) & (rows["split"] == "test") & (rows["operating_point"] == POINT)
    whole = rows[of_maps & (rows["stratum"] == ALL)].sort_values("product")
    return tuple(_score(row) for _, row in whole.iterrows())


def _score(row: "pd.Series[float]") -> HeldOutScore:
    import pandas as pd

    def number(name: str) -> float | None:
        return None if pd.isna(row[name]) else float(row[name])

    return HeldOutScore(
        str(row["product"]),
        int(row["places"]),
        float(row["iou"]),
        number("iou_low"),
        number("iou_high"),
        number("precision"),
        number("recall"),
    )
