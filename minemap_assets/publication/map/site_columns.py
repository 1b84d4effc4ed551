"""Sites as the page reads them: a short list for each column, since there may be tens of thousands of sites."""

from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]

MICRODEGREES = 1_000_000
"""Corners of windows are whole millionths of a degree from the middle of their site."""


def site_columns(
    index: Sequence[Record], years: Sequence[int], shown: Mapping[str, Mapping[int, bool]], in_file: int
) -> Record:
    """Columns of sites, in their order: entry n of each list is of site n.

    `index` are the entries of `SiteRecords`; `shown` says by site and year whether a picture may be passed on. Regions,
    countries and sets of years stand once, and columns hold their places. `km2` has a list for each year, and `corners`
    eight numbers for each site: from the top left clockwise, x before y.
    """
    regions, countries = (sorted({one[name] for one in index}) for name in ("region", "iso3"))
    region_at, country_at = ({name: place for place, name in enumerate(names)} for names in (regions, countries))
    return {
        "in_file": in_file,
        "years": list(years),
        "regions": regions,
        "countries": countries,
        "id": [one["id"] for one in index],
        "region": [region_at[one["region"]] for one in index],
        "country": [country_at[one["iso3"]] for one in index],
        "at": [value for one in index for value in one["at"]],
        "corners": [value for one in index for value in _corners(one)],
        "first": [one["first"] for one in index],
        "km2": [[one["km2"][place] for one in index] for place in range(len(years))],
        **picture_columns(
            [sorted(shown.get(one["id"], {})) for one in index],
            [sorted(year for year, free in shown.get(one["id"], {}).items() if not free) for one in index],
        ),
    }


def picture_columns(pictures: Sequence[Sequence[int]], restricted: Sequence[Sequence[int]]) -> Record:
    """The columns that tell of pictures: the years in which each site has one, and those that may not be passed on."""
    sets = sorted({tuple(one) for one in (*pictures, *restricted)})
    place = {one: number for number, one in enumerate(sets)}
    return {
        "year_sets": [list(one) for one in sets],
        "pictures": [place[tuple(one)] for one in pictures],
        "restricted": [place[tuple(one)] for one in restricted],
    }


def years_of(columns: Mapping[str, Any], name: str) -> list[list[int]]:
    """The years of each site in one of the columns that tell of pictures."""
    sets: list[list[int]] = columns["year_sets"]
    return [sets[place] for place in columns[name]]


def places_of(columns: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Longitude and latitude of each site."""
    flat: list[float] = columns["at"]
    return list(zip(flat[::2], flat[1::2], strict=True))


def windows(index: Sequence[Record], years: Sequence[int]) -> Record:
    """GeoJSON of the windows of sites; `s2019` is 0 where a site was not observed in that year."""
    known = [one for one in index if one["corners"]]
    rings = [[*one["corners"], one["corners"][0]] for one in known]
    shapes = [{"type": "Polygon", "coordinates": [ring]} for ring in rings]
    return _features(known, shapes, years)


def unseen_sites(index: Sequence[Record], years: Sequence[int]) -> Record:
    """GeoJSON of the middles of sites that were not observed in some year, with the same properties."""
    some = [one for one in index if None in one["km2"]]
    return _features(some, [{"type": "Point", "coordinates": one["at"]} for one in some], years)


def extent(index: Sequence[Record]) -> list[float] | None:
    """West, south, east and north of all windows; None without sites."""
    places = [place for one in index for place in one["corners"] or [one["at"]]]
    if not places:
        return None
    xs, ys = zip(*places, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def _features(index: Sequence[Record], shapes: Sequence[Record], years: Sequence[int]) -> Record:
    features = [
        {"type": "Feature", "properties": {"id": one["id"], **_not_seen(one, years)}, "geometry": shape}
        for one, shape in zip(index, shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _not_seen(one: Record, years: Sequence[int]) -> dict[str, int]:
    return {f"s{year}": 0 for year, km2 in zip(years, one["km2"], strict=True) if km2 is None}


def _corners(one: Record) -> list[int | None]:
    if one["corners"] is None:
        return [None] * 8
    x, y = one["at"]
    return [
        round((value - of) * MICRODEGREES)
        for corner in one["corners"]
        for value, of in zip(corner, (x, y), strict=True)
    ]
