"""Which mosaics belong to a season: half-years, quarters and months as NICFI had them."""

from datetime import date
from typing import Any

import pytest

from minemap_assets.errors import NotCoveredError, NotEntitledError, PermanentError
from minemap_assets.imagery.basemaps.mosaics import Listing, Mosaic, choose, choose_usable, parse_mosaic
from minemap_assets.imagery.seasons import Season, SeasonRule

PREFIX = "planet_medres_normalized_analytic"
JUNE_TO_NOVEMBER = SeasonRule()


def record(name: str, first: str, last: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": f"{PREFIX}_{name}_mosaic",
        "first_acquired": f"{first}T00:00:00.000Z",
        "last_acquired": f"{last}T00:00:00.000Z",
        "bbox": [-180, -34.16, 180, 30.15],
        "coordinate_system": "EPSG:3857",
        "datatype": "uint16",
        "grid": {"quad_size": 4096, "resolution": 4.777314267823516},
        "quad_download": True,
    } | more


def parsed(name: str, first: str, last: str, **more: Any) -> Mosaic:
    mosaic = parse_mosaic(record(name, first, last, **more))
    assert mosaic is not None
    return mosaic


def nicfi() -> list[Mosaic]:
    """All mosaics of the NICFI programme to the end of 2021."""
    half_years = [("2015-12_2016-05", "2015-12-01", "2016-06-01")]
    for year in range(2016, 2020):
        half_years.append((f"{year}-06_{year}-11", f"{year}-06-01", f"{year}-12-01"))
        half_years.append((f"{year}-12_{year + 1}-05", f"{year}-12-01", f"{year + 1}-06-01"))
    spans = [*half_years, ("2020-06_2020-08", "2020-06-01", "2020-09-01")]
    for year, months in ((2020, range(9, 13)), (2021, range(1, 13))):
        for month in months:
            end = date(year + month // 12, month % 12 + 1, 1)
            spans.append((f"{year}-{month:02d}", f"{year}-{month:02d}-01", end.isoformat()))
    return [parsed(*span) for span in spans]


def names(mosaics: tuple[Mosaic, ...]) -> list[str]:
    return [m.name.removeprefix(f"{PREFIX}_").removesuffix("_mosaic") for m in mosaics]


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        (2015, []),
        (2016, ["2016-06_2016-11"]),
        (2019, ["2019-06_2019-11"]),
        (2020, ["2020-06_2020-08", "2020-09", "2020-10", "2020-11"]),
        (2021, ["2021-06", "2021-07", "2021-08", "2021-09", "2021-10", "2021-11"]),
    ],
)
def test_the_papers_season(year: int, expected: list[str]) -> None:
    assert names(choose(nicfi(), JUNE_TO_NOVEMBER.season(year))) == expected


@pytest.mark.parametrize(
    ("first", "last", "year", "expected"),
    [
        (12, 3, 2018, ["2018-12_2019-05"]),
        (1, 12, 2017, ["2016-12_2017-05", "2017-06_2017-11"]),
        (7, 8, 2018, ["2018-06_2018-11"]),
        (8, 9, 2020, ["2020-09"]),
        (12, 2, 2020, ["2020-12", "2021-01", "2021-02"]),
        (9, 2, 2017, ["2017-06_2017-11"]),
    ],
)
def test_other_seasons(first: int, last: int, year: int, expected: list[str]) -> None:
    season = SeasonRule(first_month=first, last_month=last).season(year)
    assert names(choose(nicfi(), season)) == expected


def test_names_do_not_matter() -> None:
    renamed = [parsed("anything at all", "2019-06-01", "2019-12-01")]
    assert len(choose(renamed, JUNE_TO_NOVEMBER.season(2019))) == 1


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ("2020-10-01T00:00:00.000Z", date(2020, 10, 1)),
        ("2020-09-30T23:59:59.999Z", date(2020, 10, 1)),
        ("2020-09-30T23:59:59Z", date(2020, 10, 1)),
        ("2020-09-30T00:00:01+00:00", date(2020, 10, 1)),
    ],
)
def test_last_moment(last: str, end: date) -> None:
    assert parsed("x", "2020-09-01", "2020-10-01", last_acquired=last).end == end


def test_pictures_are_left_out() -> None:
    assert parse_mosaic(record("visual", "2020-09-01", "2020-10-01", datatype="byte")) is None


@pytest.mark.parametrize("missing", ["id", "first_acquired", "bbox", "grid", "coordinate_system"])
def test_metadata_that_lacks_something(missing: str) -> None:
    broken = {key: value for key, value in record("2020-09", "2020-09-01", "2020-10-01").items() if key != missing}
    with pytest.raises(PermanentError, match=f"2020-09_mosaic in another way than documented.*{missing}"):
        parse_mosaic(broken)


def test_other_projections_are_refused() -> None:
    with pytest.raises(PermanentError, match="is in EPSG:4326; only EPSG:3857"):
        parse_mosaic(record("2020-09", "2020-09-01", "2020-10-01", coordinate_system="EPSG:4326"))


def test_why_there_is_none() -> None:
    season: Season = JUNE_TO_NOVEMBER.season(2025)
    ended = "sees no mosaic called so; .*takes no new users since 23 January 2025, so name a series that your plan"
    with pytest.raises(NotEntitledError, match=ended):
        choose_usable(Listing(()), season, "called so")
    with pytest.raises(
        NotCoveredError, match=r"for 2025 \(2025-06-01 to 2025-12-01\), only from 2015-12-01 to 2021-12-31"
    ):
        choose_usable(Listing(tuple(nicfi())), season, "called so")
    locked = Listing((parsed("2020-09", "2020-09-01", "2020-10-01", quad_download=False),))
    with pytest.raises(NotEntitledError, match=r'may see but not download .*, or set reads to "tiles"'):
        choose_usable(locked, JUNE_TO_NOVEMBER.season(2020), "called so")
    assert len(choose_usable(locked, JUNE_TO_NOVEMBER.season(2020), "called so", tiles=True)) == 1


def test_pictures_are_told_from_nothing() -> None:
    """The monthly mosaics of the whole world are visual."""
    picture = {"name": "global_monthly_2025_05_mosaic", "datatype": "byte"}
    listing = Listing.of([record("x", "2025-05-01", "2025-06-01") | picture])
    assert listing == Listing((), ("global_monthly_2025_05_mosaic",))
    said = (
        r"such as global_monthly_2025_05_mosaic, are 8-bit pictures, which hold no reflectance and are not used; name a"
    )
    with pytest.raises(NotEntitledError, match=said):
        choose_usable(listing, JUNE_TO_NOVEMBER.season(2025), "of any name")


@pytest.mark.parametrize(
    ("pixels", "resolution", "zoom"),
    [(4096, 4.777314267823516, 15), (4096, 2.388657133911758, 16), (256, 4.777314267823516, 15)],
)
def test_zoom_levels(pixels: int, resolution: float, zoom: int) -> None:
    grid = {"quad_size": pixels, "resolution": resolution}
    assert parsed("x", "2020-09-01", "2020-10-01", grid=grid).zoom == zoom


def test_quads_of_no_zoom_level() -> None:
    grid = {"quad_size": 1000, "resolution": 40_075_016.685578488 / 2000 / 1000}
    assert parsed("x", "2020-09-01", "2020-10-01", grid=grid).zoom is None
