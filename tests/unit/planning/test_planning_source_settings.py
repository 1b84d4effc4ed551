"""The settings that images need, and the ground around mines."""

import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.not_observed import most_unobserved
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.planning.source_settings import WIDE, few_enough, own_images, seen_enough, wide
from minemap_assets.planning.surroundings import around

from .conftest import RGB, RGBN, image


def test_every_year_gets_the_product_that_has_images_of_it() -> None:
    images = [
        image("2019-07-01"),
        image("2020-07-01"),
        image("2020-08-01"),
        image("2022-07-01"),
        image("2018-01-01", "planet-nicfi", year=2018),
    ]
    values = own_images(images, SeasonRule()).values
    assert values["imagery.products"] == [
        {"product": "planet-nicfi", "from": 2018, "until": 2018},
        {"product": "sentinel-2-l1c", "from": 2019, "until": 2020},
        {"product": "sentinel-2-l1c", "from": 2022, "until": 2022},
    ]
    assert (values["first_year"], values["imagery.reference_year"]) == (2018, 2020)
    assert values["imagery.reference_products"] == ["sentinel-2-l1c"]
    assert values["imagery.sources.planet-nicfi"] == values["imagery.sources.sentinel-2-l1c"] == ["archive"]


def test_one_model_reads_what_all_images_have() -> None:
    mixed = [image("2020-07-01", bands=("coastal", *RGBN)), image("2020-08-01", "planet-nicfi", RGB)]
    values = own_images(mixed, SeasonRule()).values
    assert values["chips.bands"] == list(RGB)
    assert values["imagery.bands.sentinel-2-l1c"] == list(RGBN)
    assert values["imagery.bands.planet-nicfi"] == list(RGB)
    apart = [image("2020-07-01", bands=("swir16",)), image("2020-08-01", "planet-nicfi", RGB)]
    with pytest.raises(BadInputError, match="have no band in common"):
        own_images(apart, SeasonRule())


def test_a_season_across_new_year_belongs_to_the_year_in_which_it_begins() -> None:
    values = own_images([image("2016-12-09"), image("2018-03-09")], SeasonRule(first_month=12, last_month=3)).values
    assert values["imagery.products"] == [{"product": "sentinel-2-l1c", "from": 2016, "until": 2017}]


def test_small_images_lower_the_least_share_that_has_to_be_seen() -> None:
    assert seen_enough([1.0, 0.9, 0.0]) is None
    lowered = seen_enough([1.0, 0.31, 0.0])
    assert lowered is not None
    assert lowered.values == {"imagery.min_clear_fraction": 0.2}
    assert "windows of 1 of 3 sites" in lowered.said[0]


def test_images_that_leave_out_many_sites_raise_the_share_that_may_go_unobserved() -> None:
    assert few_enough([1.0, 0.9, 0.0]) is None, "one site never fails a region"
    assert few_enough([0.0, 0.0]) is None, "no image at all is no wish"
    raised = few_enough([1.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert raised is not None
    assert raised.values == {"imagery.max_unobserved_share": 0.6}
    assert most_unobserved(7, 0.6) == 4
    assert "nothing of 4 of 7 sites" in raised.said[0]


def test_windows_and_chips_are_wide_where_no_image_is_finer_than_10_m_and_images_show_so_much() -> None:
    widened = {"sites.min_pixels": WIDE, "chips.size": WIDE}
    found = wide({"sentinel-2-l2a"})
    assert found is not None
    assert found.values == widened
    assert "3.84 km" in found.said[0]
    assert wide({"sentinel-2-l2a", "planet-nicfi"}) is None
    small, large = image("2020-07-01", side=0.023), image("2020-07-01", side=0.04)
    assert wide({"sentinel-2-l1c"}, [small, small, large]) is None
    assert wide({"sentinel-2-l1c"}, [small, large, large]) is not None


def test_the_ground_around_mines_holds_their_windows_and_stays_on_its_side_of_the_world() -> None:
    mines = [shapely.box(10, 60, 10.01, 60.01), shapely.box(179.99, 0, 180, 0.01)]
    ground = around(mines, 5.0)
    assert len(shapely.get_parts(ground)) == 2
    west, south, east, north = ground.bounds
    assert (east, north > 60.05) == (180.0, True)
    # a degree of longitude is half as long at 60 degrees north
    assert 10 - west == pytest.approx(2 * 5 / 111.32, rel=0.01)
    assert south < 0
    assert all(ground.contains(one) or ground.covers(one) for one in mines)
