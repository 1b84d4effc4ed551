"""What the names of files and bands in an archive say: days, bands, processing baselines."""

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.products import PRODUCTS, SENTINEL2_BANDS

_MONTHS = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)_((?:19|20)\d\d)-(\d\d)(?![\d-])")
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(\d\d)\2(\d\d)(?!\d)")
_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)(?![\d-])")
_WRITTEN = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?|\d{4}|-\d\d_\d{4}-\d\d)")
_BASELINE = re.compile(r"_N(\d\d)(\d\d)(?=_|$)")
_COMMON = {band for product in PRODUCTS.values() for band in product.bands}
_BAND_SUFFIX = re.compile(
    rf"^(?P<stem>.*?)[_-]?(?<![A-Za-z0-9])(?P<band>B\d{{1,2}}|B8A|{'|'.join(sorted(_COMMON))})(?:_[126]0m)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Days:
    """First and last day, both included; `year` where the image was made for one season only."""

    start: date
    end: date
    year: int | None = None


@dataclass(frozen=True)
class BandName:
    """A file name taken apart: what is common to the scene's files, and the band's common name."""

    stem: str
    band: str


def common_band(name: str) -> str | None:
    """The common name of a band written as `B2`, `B02`, `b8a`, `nir`; None for any other text."""
    text = name.strip()
    match = re.fullmatch(r"[Bb]0?(\d{1,2}|8[Aa])", text)
    if match:
        number = match.group(1).upper()
        return SENTINEL2_BANDS.get(f"B{number}" if number == "8A" else f"B{int(number):02d}")
    return text.lower() if text.lower() in _COMMON else None


def band_of_file(path: str) -> BandName | None:
    """Scene and band of a file that holds one band, as in `scene_B02.tif` or `T32_B8A_20m.tif`; None for others."""
    whole = PurePosixPath(path)
    match = _BAND_SUFFIX.match(whole.stem)
    band = common_band(match["band"]) if match else None
    if match is None or band is None:
        return None
    stem = match["stem"] or "scene"
    return BandName((whole.parent / stem).as_posix(), band)


def days_of_file(path: str) -> Days | None:
    """Days in a file's name, else in the names of its folders, the nearest first; None where there are none.

    `2020-06_2020-11` is a span of months, `20200612` or `2020-06-12` a day, `2020-06` a month.
    """
    for part in reversed(PurePosixPath(path).parts):
        days = _days(part)
        if days is not None:
            return days
    return None


def baseline_of(name: str) -> str:
    """Sentinel-2 processing baseline, such as `05.09` for a name with `_N0509_`; empty where there is none."""
    match = _BASELINE.search(name)
    return f"{match[1]}.{match[2]}" if match else ""


def parse_days(text: str) -> Days:
    """Days written by a person: `2020-06-12`, `20200612`, `2020-06`, or `first/last`. Raises `BadInputError`."""
    written = [part.strip() for part in text.split("/")]
    parts = [_days(part) if _WRITTEN.fullmatch(part) else None for part in written]
    first, last = parts[0], parts[-1]
    if len(parts) > 2 or first is None or last is None:
        raise BadInputError(f"{text!r} is no date; write 2020-06-12, 2020-06 or 2020-06-01/2020-11-30")
    if first.start > last.end:
        raise BadInputError(f"{text!r} is no date, because it runs backwards; write the earlier day first")
    return Days(first.start, last.end)


def override_for(path: str, overrides: Mapping[str, str]) -> str | None:
    """What a person set for a file: the longest key that is the file, a folder above it or a pattern matching it."""
    keys: Sequence[str] = sorted(overrides, key=lambda k: (-len(k), k))
    for key in keys:
        folder = key.rstrip("/")
        if path == folder or path.startswith(f"{folder}/") or fnmatchcase(path, key):
            return overrides[key]
    return None


def _days(text: str) -> Days | None:
    for match in _MONTHS.finditer(text):
        first, last = _month(match[1], match[2]), _month(match[3], match[4])
        if first and last and first.start <= last.end:
            return Days(first.start, last.end)
    for match in _DAY.finditer(text):
        try:
            day = date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
        return Days(day, day)
    for match in _MONTH.finditer(text):
        month = _month(match[1], match[2])
        if month:
            return month
    return None


def _month(year: str, month: str) -> Days | None:
    number = int(month)
    if not 1 <= number <= 12:
        return None
    last = calendar.monthrange(int(year), number)[1]
    return Days(date(int(year), number, 1), date(int(year), number, last))
