"""How the pictures of a map are made to fit: pixels go first, then years, then sites."""

from minemap_assets.publication.map.picture_plan import MARGIN, PicturePlan, plan_pictures, sizes, spread

YEARS = tuple(range(2016, 2025))
MEAN = {512: 40_000.0, 256: 12_000.0, 128: 4_000.0}


def test_all_is_kept_where_it_fits() -> None:
    plan = plan_pictures(MEAN, YEARS, 10, MARGIN * 40_000 * 9 * 10)
    assert plan == PicturePlan(512, YEARS, 10)
    assert plan.reduced(512, YEARS, 10) == ""


def test_pixels_go_before_years() -> None:
    plan = plan_pictures(MEAN, YEARS, 10, MARGIN * 12_000 * 9 * 10)
    assert plan == PicturePlan(256, YEARS, 10)
    assert plan.reduced(512, YEARS, 10) == (
        "To keep the folder small, pictures have 256 pixels on a side instead of 512."
    )


def test_years_go_before_sites_and_the_ends_stay() -> None:
    plan = plan_pictures(MEAN, YEARS, 10, MARGIN * 4_000 * 3 * 10)
    assert plan == PicturePlan(128, (2016, 2020, 2024), 10)
    assert "only 3 of 9 years have pictures" in plan.reduced(512, YEARS, 10)


def test_sites_go_last_and_none_is_left_without_room() -> None:
    assert plan_pictures(MEAN, YEARS, 10, MARGIN * 4_000 * 2 * 4) == PicturePlan(128, (2016, 2024), 4)
    plan = plan_pictures(MEAN, YEARS, 10, -5.0)
    assert plan.sites == 0
    assert "only the 0 largest of 10 sites" in plan.reduced(512, YEARS, 10)


def test_what_is_planned_never_takes_more_than_there_is() -> None:
    for budget in range(0, 5_000_000, 37_000):
        plan = plan_pictures(MEAN, YEARS, 10, budget)
        assert MEAN[plan.pixels] * len(plan.years) * plan.sites <= budget


def test_smaller_sizes_are_tried_in_order_and_none_is_tiny() -> None:
    assert sizes(512) == (512, 384, 256, 192, 128)
    assert sizes(100) == (100,)
    assert spread(YEARS, 2) == (2016, 2024)
    assert spread(YEARS, 20) == YEARS
