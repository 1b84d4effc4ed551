"""Sites as columns: what the page puts together from them is what went in."""

from typing import Any

from minemap_assets.publication.map.site_columns import extent, places_of, site_columns, unseen_sites, windows, years_of

CORNERS = [[1.0, 2.1], [1.2, 2.1], [1.2, 1.9], [1.0, 1.9]]
YEARS = (2018, 2019)


def site(name: str, corners: Any, km2: list[float | None]) -> dict[str, Any]:
    return {"id": name, "region": name, "iso3": "XAA", "at": [1.1, 2.0], "corners": corners, "km2": km2, "first": None}


INDEX = (site("a", CORNERS, [0.5, None]), site("b", None, [0.0, 0.25]))


def test_columns_hold_every_site_in_its_place() -> None:
    columns = site_columns(INDEX, YEARS, {"a": {2018: True, 2019: False}}, 20)
    assert columns["id"] == ["a", "b"]
    assert [columns["regions"][place] for place in columns["region"]] == ["a", "b"]
    assert columns["countries"] == ["XAA"]
    assert columns["km2"] == [[0.5, 0.0], [None, 0.25]]
    assert places_of(columns) == [(1.1, 2.0), (1.1, 2.0)]
    micro = [value / 1e6 for value in columns["corners"][:8]]
    assert [[round(1.1 + x, 6), round(2.0 + y, 6)] for x, y in zip(micro[::2], micro[1::2], strict=True)] == CORNERS
    assert columns["corners"][8:] == [None] * 8
    assert years_of(columns, "pictures") == [[2018, 2019], []]
    assert years_of(columns, "restricted") == [[2019], []]


def test_what_was_not_observed_is_marked_in_its_year_only() -> None:
    (window,), (dot,) = windows(INDEX, YEARS)["features"], unseen_sites(INDEX, YEARS)["features"]
    assert window["properties"] == dot["properties"] == {"id": "a", "s2019": 0}
    assert window["geometry"]["coordinates"] == [[*CORNERS, CORNERS[0]]]
    assert dot["geometry"]["coordinates"] == [1.1, 2.0]


def test_the_extent_is_that_of_windows_and_without_sites_there_is_none() -> None:
    assert extent(INDEX) == [1.0, 1.9, 1.2, 2.1]
    assert extent(INDEX[1:]) == [1.1, 2.0, 1.1, 2.0]
    assert extent(()) is None
