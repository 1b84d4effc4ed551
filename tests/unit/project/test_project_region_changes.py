"""Changes of regions: what is split, kept, retired and renamed, and with which words the rest is refused."""

import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.project.region_changes import (
    add_region,
    rename_region,
    replace_region,
    restore_region,
    retire_region,
    split_region,
)
from minemap_assets.project.regions import Region, validate_slug

BOX = shapely.box(-60, -10, -59, -9)


def test_too_large_a_region_is_refused_with_pieces():
    amazon = Region("amazon", "Amazon", shapely.box(-79, -15, -45, 5))
    with pytest.raises(
        BadInputError, match=r"8,\d+,\d+ km2, more than the limit .* split it into \d+ regions \(amazon-r1c1"
    ):
        add_region({}, amazon)
    pieces = split_region(amazon)
    assert all(p.area_km2 <= 3_000_000 for p in pieces)
    assert shapely.union_all([p.geometry for p in pieces]).equals(amazon.geometry)
    assert sum(p.geometry.area for p in pieces) == pytest.approx(amazon.geometry.area)
    regions = {}
    for piece in pieces:
        regions = add_region(regions, piece).regions
    assert sorted(regions) == sorted(p.slug for p in pieces)
    assert add_region({}, amazon, max_area_km2=1e7).regions["amazon"] == amazon


def test_pieces_of_a_long_name_and_an_odd_shape():
    ring = shapely.box(0, 0, 30, 30).difference(shapely.box(1, 1, 29, 29))
    pieces = split_region(Region("x" * 60, "X", ring), 50_000)
    assert len({p.slug for p in pieces}) == len(pieces)
    assert all(validate_slug(p.slug) and p.area_km2 <= 50_000 for p in pieces)
    assert shapely.union_all([p.geometry for p in pieces]).symmetric_difference(ring).area < 1e-9


def test_nothing_is_ever_deleted():
    one = Region("a", "A", BOX)
    added = add_region({}, one)
    assert "sites come first" in added.sentence
    with pytest.raises(BadInputError, match="already; put this in its place with --replace"):
        add_region(added.regions, one)
    wider = Region("a", "A", shapely.box(-60, -10, -58, -9))
    replaced = replace_region(added.regions, wider)
    assert replaced.regions["a"] == wider
    assert "boundary changed" in replaced.sentence
    assert "boundary" not in replace_region(added.regions, Region("a", "B", BOX, season=(1, 2))).sentence
    retired = retire_region(replaced.regions, "a")
    assert retired.regions["a"].retired
    with pytest.raises(BadInputError, match="regions restore a"):
        add_region(retired.regions, one)
    assert not restore_region(retired.regions, "a").regions["a"].retired
    renamed = rename_region(added.regions, "a", "b")
    assert renamed.regions["a"].retired
    assert renamed.regions["b"] == Region("b", "A", BOX)
    with pytest.raises(BadInputError, match="no region z; the regions are a"):
        retire_region(added.regions, "z")
    with pytest.raises(BadInputError, match="a region b already"):
        rename_region(renamed.regions, "a", "b")
    with pytest.raises(BadInputError, match="a is retired; restore it before renaming it"):
        rename_region(renamed.regions, "a", "c")
    assert "nothing changes" in retire_region(renamed.regions, "a").sentence
    assert added.regions == {"a": one}
