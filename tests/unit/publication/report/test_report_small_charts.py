"""The charts of a site's page: what was not seen is a gap, open marks are provisional, and the star is where it is."""

import re
from xml.etree import ElementTree

import geopandas as gpd
import pytest
import shapely

from minemap_assets.publication.report.small_charts import Locator, area_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(chart: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in chart.iter(f"{SVG}text")]


def test_a_year_that_was_not_observed_is_a_gap_and_not_zero() -> None:
    chart = drawn(area_chart({2016: 1.0, 2017: None, 2018: 2.0, 2019: 3.0}, {2019}, ()))
    marks = list(chart.iter(f"{SVG}circle"))
    assert [mark.get("fill") for mark in marks] == ["#000000", "#000000", "#fff"]
    lines = [one for one in chart.iter(f"{SVG}path") if one.get("stroke-width") == "1.6"]
    assert len(lines) == 1, "no line leads over the gap"
    heights = [float(mark.get("cy", "nan")) for mark in marks]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert {"0", "1", "2016", "2017", "2018", "2019", "Area (km²)"} <= set(words(chart))


def test_a_break_stands_before_its_year_and_one_outside_is_not_drawn() -> None:
    chart = drawn(area_chart({2016: 1.0, 2017: 1.0}, (), (2016, 2017, 2030)))
    dashed = [one for one in chart.iter(f"{SVG}path") if one.get("stroke-dasharray")]
    between = [float(mark.get("cx", "nan")) for mark in chart.iter(f"{SVG}circle")]
    (x,) = (float(re.findall(r"M([\d.]+)", one.get("d", ""))[0]) for one in dashed)
    assert x == pytest.approx(sum(between) / 2.0, abs=0.2)


@pytest.mark.parametrize("areas", [{}, {2019: None}, {2019: 0.0}, {2019: 0.00042}, {2019: 123456.7}])
def test_any_areas_have_a_chart_inside_its_frame(areas: dict[int, float | None]) -> None:
    chart = drawn(area_chart(areas, (), ()))
    for mark in chart.iter(f"{SVG}circle"):
        assert 20.0 < float(mark.get("cy", "nan")) <= 160.0


def test_the_star_lies_where_the_site_does() -> None:
    outline = shapely.box(-60.0, -10.0, -50.0, 0.0)
    countries = gpd.GeoDataFrame(geometry=[shapely.box(-70.0, -20.0, -55.0, 20.0)], crs="EPSG:4326")
    place = Locator(outline, countries)
    corners = {}
    for longitude, latitude in ((-60.0, 0.0), (-50.0, -10.0), (-55.0, -5.0)):
        points = drawn(place.svg(longitude, latitude)).find(f"{SVG}polygon")
        assert points is not None
        pairs = [pair.split(",") for pair in points.get("points", "").split()]
        corners[longitude] = [sum(float(pair[n]) for pair in pairs) / len(pairs) for n in (0, 1)]
    assert corners[-60.0][0] < corners[-55.0][0] < corners[-50.0][0]
    assert corners[-60.0][1] < corners[-55.0][1] < corners[-50.0][1]
    told = words(drawn(place.svg(-55.0, -5.0)))
    assert any(one.endswith("°W") for one in told)
    assert any(one.endswith("°S") for one in told)
    assert place.svg(-55.0, -5.0) == place.svg(-55.0, -5.0)
