"""Settings of the room snapshots."""

import re
from datetime import date

from pydantic import Field, field_validator, model_validator

from minemap_assets.imagery.seasons import Season
from minemap_assets.project.settings import StrictModel

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class SnapshotSeason(StrictModel):
    """Days from `start` up to but not including `end`."""

    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> "SnapshotSeason":
        if self.end <= self.start:
            raise ValueError(f"end ({self.end}) is not after start ({self.start})")
        return self

    @property
    def season(self) -> Season:
        """As sources of imagery take it; it belongs to the year in which it begins."""
        return Season(self.start.year, self.start, self.end)


class SnapshotsConfig(StrictModel):
    """One-off seasons to be scanned, such as the last quarter. They stand for themselves: no yearly layer, no
    cumulative and no table is made of them.

    `seasons` are their days by name, such as `2025-q3 = { start = 2025-07-01, end = 2025-10-01 }`.
    """

    seasons: dict[str, SnapshotSeason] = Field(default_factory=dict)

    @field_validator("seasons")
    @classmethod
    def _named(cls, value: dict[str, SnapshotSeason]) -> dict[str, SnapshotSeason]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a season; use small letters, digits and -")
        return value
