"""What an opened source is: a function from a grid, a season and bands to a composite."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.seasons import Season, SeasonRule

COMPLETE = "complete"
"""The revision of a season to which a service adds nothing any more."""

NO_CLOUD_MASK = "none"
"""Nothing told cloud from ground: what the source shows counts as ground."""


def days_text(first: date, last: date) -> str:
    """How `Provenance.acquisition_days` writes the days of a picture, both included."""
    return first.isoformat() if first == last else f"{first.isoformat()}/{last.isoformat()}"


@dataclass(frozen=True)
class Provenance:
    """Where a composite's pixels come from.

    `acquisitions` are the ids of the scenes or mosaics that gave pixels, `first_date` and `last_date` their ISO dates;
    `offset` is what was added to the raw digital numbers (0 where none was needed); `terms` names the terms of use.
    `acquisition_days` are the days on which pictures that gave pixels were taken, sorted: an ISO date, or `first/last`
    for a mosaic of several days; empty where the source cannot tell. `cloud_mask` says what decided which pixels are
    cloud.
    """

    source: str
    product: str
    acquisitions: tuple[str, ...]
    first_date: str
    last_date: str
    terms: str
    redistributable: bool
    processing_baseline: str = ""
    offset: float = 0.0
    bytes_read: int = 0
    acquisition_days: tuple[str, ...] = ()
    cloud_mask: str = NO_CLOUD_MASK


@dataclass(frozen=True, eq=False)
class Composite:
    """Pixels of one grid in one season.

    `pixels` is uint16 (band, row, column), reflectance x 10,000, 0 = not observed and at least 1 elsewhere, the same
    pixels being unobserved in every band; `clear_count` is uint16 (row, column), the clear observations used.
    """

    grid: GeoBox
    bands: tuple[str, ...]
    pixels: npt.NDArray[np.uint16]
    clear_count: npt.NDArray[np.uint16]
    provenance: Provenance

    @property
    def clear_fraction(self) -> float:
        """Share of the grid's pixels that were observed, 0 to 1."""
        return float(np.count_nonzero(self.pixels[0]) / self.pixels[0].size)


@dataclass(frozen=True)
class Availability:
    """What a source holds for an area and season: number of images and the share of the area they cover."""

    images: int
    covered_share: float


@dataclass(frozen=True)
class Latest:
    """The newest images of a source: a revision for each year that changes when that year's images change.

    `remote` is True where the images lie with a service, so that the source's `revision` does not change with them.
    """

    revisions: Mapping[int, str] = field(default_factory=dict)
    newest: datetime | None = None
    remote: bool = False

    @property
    def span(self) -> str:
        """First and last year that has images, in words; empty where none has."""
        years = sorted(self.revisions)
        return f"{years[0]} to {years[-1]}" if years else ""


def latest_until(moment: datetime, rule: SeasonRule, first_year: int) -> Latest:
    """What a service holds that adds images day by day: seasons that ended before its newest image are complete, and
    the running one changes with the month of that image.
    """
    seasons = (rule.season(year) for year in range(first_year, moment.year + 1))
    begun = [season for season in seasons if season.start <= moment.date()]
    state = {s.year: COMPLETE if s.end <= moment.date() else f"until {moment:%Y-%m}" for s in begun}
    return Latest(state, datetime(moment.year, moment.month, moment.day, tzinfo=UTC), remote=True)


class ImagerySource(ABC):
    """One source bound to one product. The only contract: every source and every test double is a subclass.

    `name` is that of the source, such as `archive`. `revision` changes when the same request might give other pixels;
    it is part of every composite's fingerprint.
    """

    def __init__(self, name: str, product: str, revision: str) -> None:
        self.name = name
        self.product = product
        self.revision = revision

    @abstractmethod
    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where the source has no pixels there, `NotEntitledError` where the account may not
        have them, and `RetryableError`, `QuotaError` or `AuthenticationError` where the site has to wait.
        """

    @abstractmethod
    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """What there is for an area (EPSG:4326)."""

    @abstractmethod
    def latest(self) -> Latest:
        """What the source holds now, for sensors."""

    def revision_for(self, grid: GeoBox, season: Season) -> str:  # noqa: ARG002
        """Changes when the pixels of this grid and season might; a source that knows which of its images those are made
        from leaves out the others.
        """
        return self.revision

    def latest_by_season(self, rule: SeasonRule) -> Latest:  # noqa: ARG002
        """What the source holds now, by years of a season rule where it knows which images belong to which season."""
        return self.latest()

    def stop(self) -> None:  # noqa: B027
        """Send nothing more, ever: reads under way fail with `StoppedError` as soon as they notice. For a source that
        waits for nobody, nothing.
        """
