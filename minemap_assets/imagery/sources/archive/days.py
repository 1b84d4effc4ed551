"""The days of an archive's images: those that a person gives, those in names, and which of them can be at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from types import MappingProxyType

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.scene_names import Days, days_of_file, override_for, parse_days
from minemap_assets.imagery.products import Product
from minemap_assets.messages import suggestion

FIRST_DAYS: Mapping[str, date] = MappingProxyType(
    {
        "planet-nicfi": date(2015, 12, 1),
        "sentinel-2-l2a": date(2015, 6, 23),
        "sentinel-2-l1c": date(2015, 6, 23),
        "satellite-embedding": date(2017, 1, 1),
    }
)
"""The first basemap of the NICFI programme begins in December 2015; Sentinel-2A was launched on 23 June 2015,
and the first annual embedding is of 2017.
"""

LONGEST_AHEAD = timedelta(days=366)
"""A mosaic may be named after a season that is not over."""

_LISTED = 6


@dataclass(frozen=True)
class GivenDays:
    """What a person said of the days: of every file a `date` (a day, a month or `first/last`) or the `year` of mosaics
    that stand for a whole season; `overrides` gives the dates of some files, folders or patterns.
    """

    date: str | None
    year: int | None
    overrides: Mapping[str, str]

    def check(self, kind: Product) -> None:
        """Raises `BadInputError`, naming the option, for days that are none or that cannot be."""
        if self.date is not None and self.year is not None:
            raise BadInputError("--date and --year: an archive has either a date or a year; give one of them")
        if self.date is not None:
            fault = _fault(_parsed("--date", self.date), kind)
            if fault is not None:
                raise BadInputError(f"--date: {self.date} {fault}; {_RIGHT_DAY}")
        for key, text in self.overrides.items():
            _parsed(f"--date-of: {key}", text)
        if self.year is not None:
            self._check_year(self.year, kind)

    def of(self, path: str, kind: Product, folder: str = "") -> Days:
        """The days of one file; `folder` is the name of the archive's own.

        Raises `BadInputError` where nothing says them, or where they cannot be.
        """
        text = override_for(path, self.overrides)
        if text is not None:
            given = parse_days(text)
            fault = _fault(given, kind)
            if fault is not None:
                raise BadInputError(f"{path} is of {text} by --date-of, which {fault}; {_RIGHT_DAY}")
            return given
        if self.date is not None:
            return parse_days(self.date)
        if self.year is not None:
            whole = parse_days(f"{self.year}-01/{self.year}-12")
            return Days(whole.start, whole.end, self.year)
        days = days_of_file(f"{folder}/{path}")
        if days is None:
            raise BadInputError(
                f"{path} says no date in its name or its folder's; give it with --date-of, or for all files with "
                "--date or --year"
            )
        fault = _fault(days, kind)
        if fault is not None:
            raise BadInputError(
                f"{path} says {days.start} in its name or its folder's, which {fault}; say when with --date-of"
            )
        return days

    def check_files(self, root: str, paths: Iterable[str]) -> None:
        """Raises `BadInputError` for an override that is about none of the files (paths below `root`)."""
        every = list(paths)
        for key in self.overrides:
            if not any(override_for(path, {key: key}) for path in every):
                there = sorted({PurePosixPath(path).parts[0] for path in every})
                shown = ", ".join([*there[:_LISTED], *(["..."] if len(there) > _LISTED else [])])
                meant = suggestion(key, [*there, *every])
                raise BadInputError(
                    f"--date-of: {key!r} is no file or folder of images in {root}{meant}; there is {shown}"
                )

    @staticmethod
    def _check_year(year: int, kind: Product) -> None:
        first = FIRST_DAYS[kind.name]
        if year < first.year:
            raise BadInputError(
                f"--year: there is no {kind.name} of {year}, its first images are of {first:%Y-%m}; {_RIGHT_YEAR}"
            )
        if year > _today().year:
            raise BadInputError(f"--year: {year} has not begun; {_RIGHT_YEAR}")


_RIGHT_YEAR = "give the year that the mosaics show, such as 2019"
_RIGHT_DAY = "give the day on which the images were taken"


def _parsed(option: str, text: str) -> Days:
    try:
        return parse_days(text)
    except BadInputError as error:
        raise BadInputError(f"{option}: {error}") from error


def _today() -> date:
    return datetime.now(UTC).date()


def _fault(days: Days, kind: Product) -> str | None:
    first, today = FIRST_DAYS[kind.name], _today()
    if days.end < first:
        return f"lies before the first images of {kind.name} ({first:%Y-%m})"
    # somewhere it is tomorrow already
    if days.start > today + timedelta(days=1) or days.end > today + LONGEST_AHEAD:
        return "lies in the future"
    return None
