"""Why ground changed between two states, from what they were made from."""

from dataclasses import replace
from typing import Any

import pytest

from minemap_assets.publication.releases.causes import Cause, Upstream, told
from minemap_assets.publication.releases.lineage import Lineage, Made, lineage_bytes, parse_lineage

YEARS = (2018, 2019)


def partition(content: str, inputs: dict[str, str] | None = None, **items: str) -> Made:
    return Made(content, "1", {}, inputs or {}, {f"{site}.tif": sha for site, sha in items.items()})


def lineage() -> dict[str, Made]:
    """One region with the sites a and b in two years."""
    found = {"sites[north]": partition("sites"), "owned_ground[north]": partition("ground")}
    for year in YEARS:
        masks = {f"raw_masks[north|{one}]": "masks" for one in YEARS}
        found |= {
            f"imagery[north|{year}]": partition("images", a=f"image a {year}", b=f"image b {year}"),
            f"chips[north|{year}]": partition("chips"),
            f"raw_masks[north|{year}]": partition(
                "masks", {"promoted_model": "model"}, a=f"mask a {year}", b=f"mask b {year}"
            ),
            f"raw_polygons[north|{year}]": partition("outlines", {"promoted_model": "model"}),
            f"mining_polygons[north|{year}]": partition("polygons", masks),
        }
    return found


def changed(before: Lineage, name: str, **parts: Any) -> dict[str, Made]:
    return {**before, name: replace(before[name], **parts)}


def items(before: Lineage, name: str, **sites: str) -> dict[str, str]:
    return {**before[name].items, **{f"{site}.tif": sha for site, sha in sites.items()}}


def new_images(before: Lineage, year: int = 2019) -> dict[str, Made]:
    """Another image of site a, and what comes of it."""
    images, masks, outlines = (f"{asset}[north|{year}]" for asset in ("imagery", "raw_masks", "raw_polygons"))
    after = changed(before, images, content="anew", items=items(before, images, a="other image"))
    after = changed(after, masks, content="anew", items=items(before, masks, a="other mask"))
    return changed(after, outlines, content="anew")


def new_model(before: Lineage) -> dict[str, Made]:
    """Another model in use, and what comes of it."""
    after = dict(before)
    for year in YEARS:
        masks, outlines = f"raw_masks[north|{year}]", f"raw_polygons[north|{year}]"
        after = changed(after, masks, inputs={"promoted_model": "other"}, items=items(after, masks, a="x", b="y"))
        after = changed(after, outlines, content="anew", inputs={"promoted_model": "other"})
    return after


def causes(before: Lineage, after: Lineage, site: str = "a", year: int = 2019) -> str:
    return told(Upstream(before, after).causes("north", year, [site]))


def test_new_images_of_one_site_are_the_cause_there_and_nowhere_else() -> None:
    before = lineage()
    after = new_images(before)
    assert causes(before, after, "a") == "imagery"
    assert causes(before, after, "b") == ""
    assert told(Upstream(before, after).wider("north", 2019)) == "not known"


def test_the_year_beside_it_is_smoothed() -> None:
    before = lineage()
    after = new_images(before)
    assert causes(before, after, "a", 2018) == "smoothing"
    assert causes(before, after, "b", 2018) == ""


def test_a_new_year_in_the_window_is_smoothing() -> None:
    after = lineage()
    before = {name: one for name, one in after.items() if "2019]" not in name}
    before = changed(before, "mining_polygons[north|2018]", inputs={"raw_masks[north|2018]": "masks"})
    assert causes(before, after, "a", 2018) == "smoothing"


def test_another_model_is_the_cause_everywhere() -> None:
    before = lineage()
    after = new_model(before)
    assert {causes(before, after, site, year) for site in "ab" for year in YEARS} == {"model"}


def test_two_causes_are_named_together() -> None:
    before = lineage()
    after = new_images(new_model(before))
    assert causes(before, after, "a") == "imagery and model"
    assert causes(before, after, "b") == "model"


def test_a_threshold_belongs_to_the_model() -> None:
    before = lineage()
    after = changed(before, "raw_polygons[north|2019]", content="anew", settings={"polygons.threshold": "0.6"})
    assert causes(before, after) == "model"


@pytest.mark.parametrize("name", ["polygons.window", "polygons.appear", "polygons.min_area_km2", "first_year"])
def test_the_temporal_rule_is_smoothing(name: str) -> None:
    before = lineage()
    after = changed(before, "mining_polygons[north|2019]", settings={name: "3"})
    assert causes(before, after) == "smoothing"


def test_settings_that_move_no_outline_are_no_cause() -> None:
    before = lineage()
    told_so = {"polygons.border_tolerance_km": "9.0", "regions.north": "sha256:1"}
    after = changed(before, "mining_polygons[north|2019]", settings=told_so)
    assert causes(before, after) == ""
    assert told(Upstream(before, after).wider("north", 2019)) == "boundary"


@pytest.mark.parametrize("asset", ["raw_polygons", "mining_polygons"])
def test_new_code_is_a_cause(asset: str) -> None:
    before = lineage()
    after = changed(before, f"{asset}[north|2019]", content="anew", code_version="2")
    assert causes(before, after) == "code"


def test_new_code_of_masks_counts_where_they_differ() -> None:
    before = lineage()
    same = changed(before, "raw_masks[north|2019]", code_version="2")
    assert causes(before, same) == ""
    masks = "raw_masks[north|2019]"
    other = changed(before, masks, code_version="2", items=items(before, masks, a="other"))
    assert causes(before, other) == "code"


def test_other_sites_may_have_taken_ground() -> None:
    before = lineage()
    after = changed(before, "owned_ground[north]", content="other")
    assert told(Upstream(before, after).wider("north", 2019)) == "ground truth"


def test_causes_are_named_in_one_order() -> None:
    assert told(frozenset({Cause.SMOOTHING, Cause.MODEL, Cause.IMAGERY})) == "imagery and model and smoothing"


def test_a_lineage_is_read_as_it_was_written() -> None:
    assert parse_lineage(lineage_bytes(lineage())) == lineage()


def test_a_model_or_code_of_everywhere_is_the_cause_where_only_the_years_around_show_it() -> None:
    before = lineage()
    model = new_model(before)
    masks, outlines = "raw_masks[north|2019]", "raw_polygons[north|2019]"
    same = changed(model, masks, items=before[masks].items)
    same = changed(same, outlines, content=before[outlines].content)
    assert causes(before, same, "a", 2019) == "model"
    code = changed(before, "raw_polygons[north|2018]", content="anew", code_version="2")
    assert causes(before, code, "a", 2019) == "code"
    assert causes(before, code, "a", 2018) == "code"


def test_a_site_of_one_state_only_has_the_cause_that_its_region_has() -> None:
    sets = {"broad": "one"}
    before = {**lineage(), "ground_truth[north]": partition("truth", sets)}
    truth = changed(before, "ground_truth[north]", inputs={"broad": "other"})
    smaller = changed(before, "ground_truth[north]", settings={"regions.north": "smaller"})
    smaller = changed(smaller, "sites[north]", settings={"regions.north": "smaller"})
    promoted = changed(before, "sites[north]", settings={"sites.promoted": "one more"})
    both = changed(smaller, "ground_truth[north]", inputs={"broad": "other"})
    found = [told(Upstream(before, after).site("north")) for after in (truth, smaller, promoted, both, before)]
    assert found == ["ground truth", "boundary", "ground truth", "ground truth and boundary", "ground truth"]
