"""Building an imagery partition from sources that are small, real implementations of the protocol."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from gradient import BANDS, REF, GradientSource, build, sites_frame, west
from odc.geo.geobox import GeoBox

from minemap_assets.errors import (
    BadInputError,
    MinemapError,
    NotCoveredError,
    NotEntitledError,
    NotFoundError,
    PermanentError,
    QuotaError,
    RetryableError,
)
from minemap_assets.geo.raster import read_raster
from minemap_assets.imagery.reader import ImagerySet, open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite
from minemap_assets.lake.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


def opened(lake: Lake) -> ImagerySet:
    return open_imagery(lake.open(REF))


def test_every_site_is_stored_with_its_pixels_and_provenance(lake: Lake) -> None:
    manifest = build(lake, [GradientSource(clear_share=0.75)])
    images = opened(lake)
    assert images.site_ids == ("m0", "m1", "m2")
    assert images.bands == BANDS
    image = images.read("m1")
    assert image.pixels.dtype == np.uint16
    assert image.grid.affine.c == 510_000 - 160
    east = 510_000 - 160 + 2.5
    np.testing.assert_array_equal(image.pixels[:, 40, 0], [1000 * b + int(east / 100 % 1000) for b in (1, 2, 3, 4)])
    assert not image.pixels[:, :16].any()
    np.testing.assert_array_equal(image.clear_count[[0, 63], 0], [0, 3])
    np.testing.assert_array_equal(image.observed, image.clear_count > 0)
    row = images.index.set_index("site_id").loc["m1"]
    assert list(row["acquisitions"]) == ["a1", "a2"]
    assert (row["source"], row["product"], row["year"], row["terms"]) == ("gradient", "planet-nicfi", 2021, "free")
    assert row["clear_fraction"] == 0.75
    assert row["clear_count_mean"] == 2.25
    stored = next(f for f in manifest.files if f.name == row["file"])
    assert (row["sha256"], row["bytes"]) == (stored.sha256, stored.bytes)
    assert manifest.summary["sites"] == 3
    assert manifest.summary["observed"] == 3
    assert manifest.summary["clear_fraction_mean"] == 0.75
    assert "preview.png" in {f.name for f in manifest.files}


def test_the_index_row_can_be_read_back_from_the_file(lake: Lake) -> None:
    build(lake, [GradientSource()])
    partition = lake.open(REF)
    facts = read_raster(partition.file("m0.tif")).facts
    row = opened(lake).index.iloc[0]
    for name in ("source", "product", "year", "first_date", "last_date", "clear_fraction", "terms", "bytes_read"):
        assert facts[name] == row[name], name


def test_a_second_build_reads_nothing_and_gives_the_same_bytes(lake: Lake) -> None:
    first = build(lake, [GradientSource()])
    lake.store.delete(f"{REF.prefix}/manifest.json")
    again = GradientSource()
    assert build(lake, [again]).content == first.content
    assert again.reads == []


def test_an_interrupted_build_goes_on_where_it_stopped(lake: Lake, tmp_path: Path) -> None:
    frame = sites_frame()
    broken = GradientSource(errors={west(frame, "m2"): KeyboardInterrupt()})  # type: ignore[dict-item]
    with pytest.raises(KeyboardInterrupt):
        build(lake, [broken], frame)
    healthy = GradientSource()
    resumed = build(lake, [healthy], frame)
    assert len(healthy.reads) == 1
    whole = build(Lake.local(tmp_path / "other", tmp_path / "other-state"), [GradientSource()], frame)
    assert resumed.content == whole.content
    assert resumed.summary == whole.summary


@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_a_damaged_file_is_made_again(lake: Lake, damage: str) -> None:
    first = build(lake, [GradientSource()])
    path = lake.open(REF).file("m0.tif")
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        del data[len(data) // 2 :]
    else:
        data[len(data) * 3 // 4] ^= 0xFF
    path.write_bytes(data)
    again = GradientSource()
    assert build(lake, [again]).content == first.content
    assert len(again.reads) == 1


@pytest.mark.parametrize("again", [GradientSource(revision="r2"), GradientSource(name="other")])
def test_another_source_or_revision_makes_the_files_again(lake: Lake, again: GradientSource) -> None:
    build(lake, [GradientSource()])
    lake.store.delete(f"{REF.prefix}/manifest.json")
    build(lake, [again])
    assert len(again.reads) == 3


@pytest.mark.parametrize("error", [NotFoundError("gone"), NotCoveredError("outside"), NotEntitledError("plan")])
def test_what_is_not_there_falls_through_with_the_reason(lake: Lake, error: MinemapError) -> None:
    frame = sites_frame()
    first = GradientSource(name="first", errors={west(frame, "m1"): error})
    manifest = build(lake, [first, GradientSource(name="second")], frame)
    assert dict(opened(lake).index.set_index("site_id")["source"]) == {"m0": "first", "m1": "second", "m2": "first"}
    assert manifest.summary["sources"] == {"first": 2, "second": 1}
    assert manifest.summary["passed_over"] == [{"source": "first", "reason": str(error), "sites": 1}]
    assert manifest.missing == ()


@pytest.mark.parametrize(
    "error", [RetryableError("dropped"), QuotaError("used up"), BadInputError("x.tif is cut off"), PermanentError("no")]
)
def test_other_errors_fail_the_site_and_never_change_its_source(lake: Lake, error: MinemapError) -> None:
    frame = sites_frame()
    first = GradientSource(name="first", errors={west(frame, "m1"): error})
    second = GradientSource(name="second")
    manifest = build(lake, [first, second], frame)
    assert [(m.item, m.reason, m.retry) for m in manifest.missing] == [("m1", str(error), True)]
    assert opened(lake).site_ids == ("m0", "m2")
    assert second.reads == []
    first.errors.clear()
    assert build(lake, [first, second], frame).missing == ()
    assert len(first.reads) == 4


def test_a_site_that_no_source_covers_is_missing_with_every_reason(lake: Lake) -> None:
    frame = sites_frame()
    here = west(frame, "m0")
    sources = [GradientSource(name=n, errors={here: NotCoveredError(f"{n} ends here")}) for n in ("a", "b")]
    manifest = build(lake, sources, frame)
    assert [(m.item, m.reason, m.retry) for m in manifest.missing] == [("m0", "a: a ends here; b: b ends here", False)]


def test_a_poor_composite_gives_way_to_a_clearer_one(lake: Lake) -> None:
    manifest = build(lake, [GradientSource(name="poor", clear_share=0.25), GradientSource(name="clear")])
    assert manifest.summary["sources"] == {"clear": 3}
    assert [p["source"] for p in manifest.summary["passed_over"]] == ["poor"]


def test_the_clearest_of_poor_composites_is_kept_and_named(lake: Lake) -> None:
    sources = [GradientSource(name=n, clear_share=s) for n, s in (("a", 0.25), ("b", 0.375), ("c", 0.125))]
    manifest = build(lake, sources)
    assert manifest.summary["sources"] == {"b": 3}
    assert [p["source"] for p in manifest.summary["passed_over"]] == ["a", "c"]
    assert manifest.summary["observed"] == 0
    assert manifest.summary["below_minimum"] == ["m0", "m1", "m2"]
    reason = "the image covers 37.5% of its window, below the 50% that [imagery] min_clear_fraction asks for"
    assert {m.item: (m.reason, m.retry) for m in manifest.missing} == dict.fromkeys(("m0", "m1", "m2"), (reason, False))


def test_no_imagery_anywhere_is_one_clear_sentence(lake: Lake) -> None:
    source = GradientSource(errors={"*": NotCoveredError("the archive ends in 2020")})
    with pytest.raises(NotFoundError, match=r"no planet-nicfi imagery for 2021 .* 3 sites: .*the archive ends in 2020"):
        build(lake, [source])
    assert lake.find(REF) is None


def test_composites_without_a_clear_pixel_count_as_not_covered(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="every pixel is cloudy"):
        build(lake, [GradientSource(clear_share=0.0)])


def test_all_failing_raises_the_class_of_the_first_other_error(lake: Lake) -> None:
    frame = sites_frame()
    errors: dict[str, MinemapError] = {west(frame, "m0"): NotFoundError("x"), "*": RetryableError("timed out")}
    with pytest.raises(RetryableError, match=r"none of the 3 sites .* timed out"):
        build(lake, [GradientSource(errors=errors)], frame)


def test_a_source_that_refuses_the_account_is_left_alone_after_three_tries(lake: Lake) -> None:
    source = GradientSource(errors={"*": QuotaError("the month's allowance is used up")})
    with pytest.raises(QuotaError):
        build(lake, [source], sites_frame(6))
    assert len(source.reads) == 3


def test_the_product_sets_the_pixel_size_and_squeezed_sites_keep_theirs(lake: Lake) -> None:
    build(lake, [GradientSource(product="sentinel-2-l2a")])
    assert opened(lake).read("m0").grid.shape == (32, 32)
    squeezed = GradientSource(product="sentinel-2-l2a")
    build(Lake.local(Path(lake.store.root) / "b", lake.state / "b"), [squeezed], sites_frame(1, 78.125, 512))
    assert squeezed.reads[0].affine.a == 78.125
    assert squeezed.reads[0].shape == (512, 512)


def test_sources_of_two_products_are_refused(lake: Lake) -> None:
    with pytest.raises(BadInputError, match="different products"):
        build(lake, [GradientSource(), GradientSource(product="sentinel-2-l2a")])


def test_a_region_without_sites_gives_an_empty_index(lake: Lake) -> None:
    manifest = build(lake, [GradientSource()], sites_frame(0))
    assert len(opened(lake).index) == 0
    assert manifest.summary["sites"] == 0
    assert opened(lake).index["clear_fraction"].dtype == np.float64


def test_a_source_that_breaks_the_protocol_is_named(lake: Lake) -> None:
    @dataclass
    class Careless(GradientSource):
        def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
            whole = super().read(grid, season, bands)
            whole.pixels[1, 0, 0] = 0
            return whole

    with pytest.raises(PermanentError, match="source gradient returned pixels observed in some bands only"):
        build(lake, [Careless()])


def test_reading_a_site_without_imagery_says_so(lake: Lake) -> None:
    build(lake, [GradientSource()])
    with pytest.raises(NotFoundError, match="no imagery for site m9"):
        opened(lake).read("m9")


@dataclass
class PreciseSource(GradientSource):
    """A source that knows which years its newest images touch."""

    changed: dict[int, str] = field(default_factory=dict)

    def revision_for(self, grid: GeoBox, season: Season) -> str:  # noqa: ARG002
        return self.changed.get(season.year, "as it was")


def test_news_of_another_year_leave_the_files_of_this_one(lake: Lake) -> None:
    build(lake, [PreciseSource(revision="r1")])
    for changed, reads in (({2024: "new"}, 0), ({2021: "new"}, 3)):
        lake.store.delete(f"{REF.prefix}/manifest.json")
        again = PreciseSource(revision="r2", changed=changed)
        build(lake, [again])
        assert len(again.reads) == reads


def test_facts_are_plain_json(lake: Lake) -> None:
    manifest = build(lake, [GradientSource()])
    assert json.loads(json.dumps(manifest.summary)) == manifest.summary
    assert date.fromisoformat(opened(lake).index["first_date"].iloc[0]) == date(2021, 6, 1)
