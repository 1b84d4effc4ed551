"""Seasons: the months a year's image is made from."""

from dataclasses import dataclass
from datetime import date

from pydantic import Field

from minemap_assets.project.settings import StrictModel


@dataclass(frozen=True)
class Season:
    """The days from `start` up to but not including `end`, belonging to `year`."""

    year: int
    start: date
    end: date


class SeasonRule(StrictModel):
    """First and last month, both included; a rule such as 12 to 3 runs across New Year and belongs to the year in
    which it begins. The default, June to November, is the paper's (section Methods, imagery).
    """

    first_month: int = Field(6, ge=1, le=12)
    last_month: int = Field(11, ge=1, le=12)

    def season(self, year: int) -> Season:
        """The season of a year."""
        last_year = year if self.last_month >= self.first_month else year + 1
        end = date(last_year + self.last_month // 12, self.last_month % 12 + 1, 1)
        return Season(year, date(year, self.first_month, 1), end)


CALENDAR_YEAR = SeasonRule(first_month=1, last_month=12)


def months(season: Season) -> tuple[Season, ...]:
    """The months of a season, each as a season of its own."""
    starts = [season.start]
    while (after := _next_month(starts[-1])) < season.end:
        starts.append(after)
    return tuple(Season(season.year, start, min(_next_month(start), season.end)) for start in starts)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
