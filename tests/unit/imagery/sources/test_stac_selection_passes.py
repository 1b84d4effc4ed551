"""When a place counts as seen on every pass of the satellites."""

import re
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.completeness import relative_orbits, shortage
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.scenes import Scene, parse_scene
from stac_items import PLACE, Image, item_like, recorded, season_of_images

C1, PLANETARY, OLDER = StacConfig().collections_for("sentinel-2-l2a")
SEASON = Season(2020, date(2020, 6, 1), date(2020, 9, 1))
LATER = datetime(2021, 1, 1, tzinfo=UTC)
POINTS = (PLACE.centroid,)


def parse(item: dict[str, Any], collection: Collection) -> Scene:
    scene = parse_scene(pystac.Item.from_dict(item), collection)
    assert scene is not None
    return scene


def scenes_of(images: list[Image]) -> list[Scene]:
    return [parse(item_like(C1, image), C1) for image in images]


WHOLE = scenes_of(season_of_images(SEASON.start, date(2020, 8, 31), (22, 65)))


def lacking(scenes: list[Scene], season: Season = SEASON, now: datetime = LATER) -> int:
    return shortage(scenes, season, POINTS, now).passes


def test_orbits_are_those_of_recorded_footprints() -> None:
    """Each item's middle is seen by its own orbit; orbit 116 ends where its items' footprints do, on both sides."""
    for item in recorded("earth_search_c1"):
        scene, middle = parse(item, C1), item["properties"]["proj:centroid"]
        assert scene.orbit in relative_orbits(shapely.Point(middle["lon"], middle["lat"]))
    scenes = [parse(item, PLANETARY) for item in recorded("planetary_computer")]
    (denver,) = [parse(item, OLDER) for item in recorded("earth_search_l2a")]
    wide = [scene for scene in [denver, *scenes] if scene.geometry.area > 1.0]
    assert len(wide) == 4
    assert all(scene.orbit in relative_orbits(scene.geometry.centroid) for scene in wide)
    swath = shapely.union_all([s.geometry for s in scenes])
    row = shapely.LineString([(150, 56.3), (180, 56.3)]).intersection(swath).bounds
    for edge, inward in ((row[0], 1), (row[2], -1)):
        assert 116 in relative_orbits(shapely.Point(edge + 0.45 * inward, 56.3))
        assert 116 not in relative_orbits(shapely.Point(edge + 0.1 * inward, 56.3))


@pytest.mark.parametrize(
    ("place", "orbit"), [((-47.8, -1.4), 124), ((15.7, 48.2), 122), ((1.2, 42.9), 51), ((-53.6, -32.1), 81)]
)
def test_orbits_of_known_products_see_their_tiles(place: tuple[float, float], orbit: int) -> None:
    """22MHD of 2023-09-12, 33UWP of 2025-03-30, 31TCH of 2017-01-26, 22HBD of 2021-01-22."""
    assert orbit in relative_orbits(shapely.Point(*place))


def test_real_dates_keep_the_rhythm(test_data: Path) -> None:
    """Two mines in India, each seen by one orbit: five years of dates, two of which show the next swath's very edge."""
    for name, place in (("mine_0", (81.406, 24.379)), ("mine_1", (81.155, 21.195))):
        assert len(relative_orbits(shapely.Point(*place))) == 1
        with zipfile.ZipFile(test_data / "aurora-india-s2-series" / f"{name}.zip") as archive:
            days = set(re.findall(r"/(\d{4}-\d\d-\d\d)-00:00", "\n".join(archive.namelist())))
        phases = Counter(date.fromisoformat(day).toordinal() % 5 for day in days)
        assert phases.most_common(1)[0][1] >= len(days) - 2 >= 70


def test_a_season_of_every_pass_lacks_nothing() -> None:
    assert len(WHOLE) == 37
    assert not shortage(WHOLE, SEASON, POINTS, LATER)


@given(st.sets(st.integers(0, 36), min_size=1, max_size=36))
def test_whatever_is_taken_away_is_missed(numbers: set[int]) -> None:
    left = [scene for number, scene in enumerate(WHOLE) if number not in numbers]
    assert lacking(left) in (len(numbers), len(numbers) - 1)  # a lost orbit has 18 passes at least, 19 in this season
    assert shortage(left, SEASON, POINTS, LATER)


def test_an_orbit_without_any_image_is_missed_where_it_must_see_the_place() -> None:
    one = [scene for scene in WHOLE if scene.orbit == 22]
    assert lacking(one) == 18
    unsaid = [replace(scene, orbit=None) for scene in WHOLE]
    assert lacking(unsaid) == 0  # two rhythms of one tile
    assert lacking([scene for scene in unsaid if scene is not unsaid[9]]) == 1


def test_an_image_more_is_no_image_less() -> None:
    extra = replace(WHOLE[4], moment=WHOLE[4].moment + timedelta(days=2, hours=1), platform="s2a")
    assert lacking([*WHOLE, extra]) > 0  # nobody can tell what else flew then: the next collection is asked
    near = replace(WHOLE[4], moment=WHOLE[4].moment + timedelta(minutes=20))
    assert lacking([*WHOLE, near]) == 0


def test_before_march_2018_nothing_is_known_to_be_whole() -> None:
    early = Season(2017, date(2017, 6, 1), date(2017, 9, 1))
    images = scenes_of(season_of_images(early.start, date(2017, 8, 31), (22, 65)))
    lack = shortage(images, early, POINTS, LATER)
    assert lack
    assert (lack.passes, lack.early) == (0, True)
    assert str(lack) == "0 passes without one, or more before March 2018"


def test_a_running_season_lacks_only_what_has_had_time_to_arrive() -> None:
    now = datetime(2020, 7, 10, tzinfo=UTC)
    here = [scene for scene in WHOLE if scene.moment < now - timedelta(days=3)]
    assert lacking(here, now=now) == 0
    assert lacking(here, now=now + timedelta(days=9)) > 0
    assert lacking([], Season(2021, date(2021, 6, 1), date(2021, 9, 1)), LATER) == 0
