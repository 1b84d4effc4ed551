"""Corrections: a rejected polygon stays rejected, a redrawn one redrawn, and no ground counts twice."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box, mapping

from minemap_assets.errors import BadInputError
from minemap_assets.polygons.correction_file import Correction, parse_corrections
from minemap_assets.polygons.corrections import Corrected, apply_corrections, corrections_facts

STEP = 0.001


def square(column: float, row: float, width: float = 1, height: float | None = None) -> Polygon:
    """A box on a grid of 0.001 degrees."""
    x, y = column * STEP, row * STEP
    return box(x, y, x + width * STEP, y + (width if height is None else height) * STEP)


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    said = {"action": "reject", "author": "Ada", "date": "2026-11-22", "reason": "a pond"} | properties
    return {"type": "Feature", "properties": said, "geometry": geometry if geometry is None else mapping(geometry)}


def parsed(*features: dict[str, Any]) -> tuple[Correction, ...]:
    return parse_corrections(json.dumps({"type": "FeatureCollection", "features": list(features)}).encode())


def applied(polygons: list[Polygon], *features: dict[str, Any], year: int = 2019, **how: Any) -> Corrected:
    return apply_corrections(np.array(polygons, dtype=object), year, parsed(*features), **how)


def area(geometry: Any) -> float:
    """In cells."""
    return float(np.sum(shapely.area(geometry)) / STEP**2)


def redraw(outline: Polygon, replaces: Polygon | None = None, **properties: Any) -> dict[str, Any]:
    extra = {} if replaces is None else {"replaces": mapping(replaces)}
    return feature(outline, action="redraw", reason="it ends at the road", **extra, **properties)


def test_a_rejected_polygon_stays_rejected_under_other_outlines() -> None:
    """As a model trained again would draw it: shifted, smaller, larger by half, in two pieces."""
    pond, mine = square(0, 0, 10), square(40, 0, 10)
    for drawn in (
        [pond],
        [square(3, 2, 10)],
        [square(4, 4, 3)],
        [square(-1, -1, 12)],
        [square(0, 0, 4), square(6, 6, 4)],
    ):
        found = applied([*drawn, mine], feature(pond))
        assert found.keep.tolist() == [False] * len(drawn) + [True]
        assert (len(found.outlines), found.rejected) == (0, len(drawn))


def test_a_larger_polygon_only_loses_the_rejected_ground() -> None:
    """A mine that grew around the pond is not lost with it."""
    found = applied([square(0, 0, 30)], feature(square(5, 5, 5)))
    assert (found.keep.tolist(), found.kinds, found.rejected) == ([False], ("cut",), 0)
    assert area(found.outlines) == pytest.approx(30 * 30 - 25)
    assert [list(numbers) for numbers in found.replaced] == [[0]]
    touching = applied([square(10, 0, 10)], feature(square(0, 0, 10)))
    assert touching.keep.all()
    assert not len(touching.outlines)


def test_a_redrawn_outline_takes_the_place_of_what_was_mapped() -> None:
    ours = square(0, 0, 10, 8)
    found = applied([square(0, 0, 6), square(6, 0, 6), square(30, 0, 4)], redraw(ours))
    assert found.keep.tolist() == [False, False, True]
    assert [list(numbers) for numbers in found.replaced] == [[0, 1]]
    assert shapely.equals(found.outlines[0], ours)
    assert found.redrawn == 2
    assert "correction 1 (redraw, Ada, 2026-11-22) comes in place of 2 polygons of 2019" in found.notes
    assert applied([square(30, 0, 4)], redraw(ours)).keep.all(), "a year without it gains no mine"
    small = applied([square(0, 0, 10)], redraw(square(0, 0, 3), replaces=square(0, 0, 10)))
    assert area(small.outlines) == pytest.approx(9)
    giant = applied([square(0, 0, 100)], redraw(square(0, 0, 3), replaces=square(0, 0, 10)))
    assert giant.keep.all(), "a mine that swallowed it is not shrunk to it"


def test_later_corrections_win() -> None:
    mine = square(0, 0, 10)
    assert applied([mine], redraw(square(0, 0, 9)), feature(mine)).rejected == 1
    again = applied([mine], feature(mine), redraw(square(0, 0, 9)))
    assert (again.rejected, area(again.outlines)) == (0, pytest.approx(81))
    better = applied([mine], redraw(square(0, 0, 9)), redraw(square(0, 0, 8), replaces=mine))
    assert area(better.outlines) == pytest.approx(64)
    halves = applied([mine], redraw(square(0, 0, 4, 10), replaces=mine), redraw(square(6, 0, 4, 10), replaces=mine))
    assert [area(outline) for outline in halves.outlines] == pytest.approx([40, 40])
    assert halves.redrawn == 1


def test_years_region_and_least_area_bound_what_is_done() -> None:
    mine = square(0, 0, 10)
    for years, held in (
        (None, [1, 1, 1]),
        ([2018], [1, 0, 0]),
        ({"from": 2019}, [0, 1, 1]),
        ({"from": 2018, "to": 2019}, [1, 1, 0]),
    ):
        found = [applied([mine], feature(mine, years=years), year=year).rejected for year in (2018, 2019, 2020)]
        assert found == held
    clipped = applied([mine], redraw(square(0, 0, 12)), within=square(0, 0, 6, 50))
    assert area(clipped.outlines) == pytest.approx(6 * 12)
    crumbs = applied([square(0, 0, 10, 3)], feature(square(0, 1, 9.9, 1)), min_area_km2=0.05)
    assert [area(outline) for outline in crumbs.outlines] == pytest.approx([30 - 9.9])
    strips = applied([square(0, 0, 10, 3)], feature(square(-1, 0.1, 12, 1.4)), min_area_km2=0.05)
    assert [area(outline) for outline in strips.outlines] == pytest.approx([15])


def test_facts_are_those_of_the_place_and_year() -> None:
    every = parsed(feature(square(0, 0), years=[2019]), redraw(square(50, 0)))
    assert len(corrections_facts(every, square(0, 0, 60), 2019)) == 2
    assert corrections_facts(every, square(0, 0, 2), 2020) == []
    assert corrections_facts(every, square(40, 0, 20), 2020) == corrections_facts(every, square(40, 0, 20), 2019)
    other = parsed(feature(square(0, 0), reason="a road", author="Bo", years=[2019]))
    assert corrections_facts(other, square(0, 0), 2019) == corrections_facts(every, square(0, 0), 2019)


BOXES = st.builds(square, st.integers(0, 12), st.integers(0, 12), st.integers(1, 6), st.integers(1, 6))
CORRECTIONS = st.lists(st.tuples(BOXES, st.booleans()), max_size=5)


@settings(max_examples=40)
@given(st.lists(BOXES, min_size=1, max_size=4), CORRECTIONS)
def test_ground_is_disjoint_valid_and_free_of_what_was_rejected_last(
    drawn: list[Polygon], said: list[tuple[Polygon, bool]]
) -> None:
    pieces = shapely.get_parts([shapely.union_all(drawn)])
    found = applied(list(pieces), *(redraw(outline) if again else feature(outline) for outline, again in said))
    left = np.concatenate([pieces[found.keep], found.outlines])
    assert shapely.is_valid(left).all()
    assert area(left) == pytest.approx(area(shapely.union_all(left)), abs=1e-6)
    last = next((n for n in reversed(range(len(said))) if said[n][1]), -1)
    for outline, _ in said[last + 1 :]:
        assert area(shapely.intersection(shapely.union_all(left), outline)) == pytest.approx(0.0, abs=1e-6)
    again = apply_corrections(left, 2019, parsed(*(feature(o) for o, redrawn in said[last + 1 :] if not redrawn)))
    assert again.keep.all(), "run twice, same polygons"


GOOD = feature(square(0, 0))
LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
BOW = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (feature(square(0, 0), author=" "), "correction 2 has no author; say it as text"),
        (feature(square(0, 0), reason=None), "correction 2 has no reason"),
        (feature(square(0, 0), date=""), "correction 2 has no date"),
        (feature(square(0, 0), date="22.11.2026"), "has the date '22.11.2026'; write it as 2026-11-22"),
        (feature(square(0, 0), action="delete"), "has the action 'delete'; write reject or redraw"),
        (feature(square(0, 0), colour="red"), "has the unknown property 'colour'; remove it"),
        (feature(square(0, 0), years=[]), "has the years \\[\\]; write a list"),
        (feature(square(0, 0), years=[True]), "has the years"),
        (feature(square(0, 0), years={"from": 1900}), "has the years"),
        (feature(square(0, 0), years={"from": 2020, "to": 2019}), "holds from 2020 to 2019, which is no year"),
        (feature(square(0, 0), replaces=mapping(square(0, 0))), "rejects, so that it replaces nothing"),
        (redraw(square(0, 0), replaces=square(1, 0)), "shares no ground with what it replaces"),
        (feature(None), "has no geometry that can be read"),
        (GOOD | {"geometry": LINE}, "is not a polygon but LineString"),
        (feature(BOW), "is not a valid polygon"),
        (feature(box(500_000, 0, 500_010, 10)), "is in another CRS than it says"),
        ({"type": "Feature"}, "is no GeoJSON feature with properties and a geometry"),
    ],
)
def test_a_wrong_entry_is_named_in_one_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said) as error:
        parsed(GOOD, wrong)
    assert "\n" not in str(error.value)
    assert "inputs/corrections.geojson: correction 2" in str(error.value)


def test_a_whole_file_is_read_or_refused() -> None:
    assert parse_corrections(None) == ()
    both = MultiPolygon([box(179.9, -16, 180, -15.9), box(-180, -16, -179.9, -15.9)])
    island = parsed(feature(both, years=[2020, 2019, 2020], polygon_id="fiji-2019-x", date="2026-11-22T10:00:00"))[0]
    assert (island.years, island.years_told, island.date) == ((2019, 2020), "2019, 2020", "2026-11-22")
    assert str(island) == "correction 1 (reject, Ada, 2026-11-22)"
    for data in (b"[]", b"{", b"{}"):
        with pytest.raises(BadInputError, match="is not a GeoJSON FeatureCollection"):
            parse_corrections(data)
    projected = {"type": "FeatureCollection", "crs": {"properties": {"name": "EPSG:32630"}}, "features": []}
    with pytest.raises(BadInputError, match="write it in EPSG:4326"):
        parse_corrections(json.dumps(projected).encode())
    spans = parsed(
        *(feature(square(0, 0), years=y) for y in ({"from": 2018}, {"to": 2018}, {"from": 2018, "to": 2018}))
    )
    assert [one.years_told for one in spans] == ["from 2018 on", "until 2018", "2018"]
    assert all(earlier.number < later.number for earlier, later in pairwise(spans))
