"""Chips made from real imagery files: what is written, left out, and read back."""

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.chips.build import build_chips
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import from_columns
from minemap_assets.imagery.reader import ImagerySet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition

from .conftest import BANDS, site_frame, site_row, truth_frame

Imagery = Callable[..., ImagerySet]
Make = Callable[..., Partition]
CONFIG = ChipsConfig(size=64, overlap=16)


def picture(pixels: int, seed: int = 0, bands: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 5000, (bands, pixels, pixels)).astype(np.uint16)


def chips(make: Make, sites: gpd.GeoDataFrame, imagery: ImagerySet, config: ChipsConfig = CONFIG) -> ChipSet:
    part = make("chips", "chips", "here", "2019", build=lambda w: build_chips(sites, imagery, config, w))
    return open_chips(part)


def labelled(make: Make, sites: gpd.GeoDataFrame, imagery: ImagerySet, truth: gpd.GeoDataFrame) -> ChipSet:
    part = make(
        "chips",
        "training_chips",
        imagery.product,
        "here",
        build=lambda w: build_chips(sites, imagery, CONFIG, w, ground_truth=truth),
    )
    return open_chips(part)


def test_chips_hold_the_pixels_of_their_place(make_partition: Make, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 96))
    image = picture(96)
    found = chips(make_partition, sites, imagery_of(sites, {"m1": image}))
    assert (found.product, found.bands, found.size) == ("planet-nicfi", BANDS, 64)
    assert list(zip(found.index["row"], found.index["column"], strict=True)) == [(0, 0), (0, 32), (32, 0), (32, 32)]
    for row in found.index.itertuples():
        here = np.s_[:, row.row : row.row + 64, row.column : row.column + 64]
        np.testing.assert_array_equal(found.pixels(row.chip), image[here])
        grid = from_columns(row.crs, row.transform, row.width, row.height)
        assert grid.affine.c == sites["transform"].iloc[0][2] + 5 * row.column


def test_bands_come_in_the_configured_order(make_partition: Make, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 64))
    image = picture(64)
    config = ChipsConfig(size=64, overlap=16, bands=("red", "green", "blue"))
    found = chips(make_partition, sites, imagery_of(sites, {"m1": image}), config)
    np.testing.assert_array_equal(found.pixels(0), image[[2, 1, 0]])


def test_a_band_the_images_lack_is_named(make_partition: Make, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 64))
    imagery = imagery_of(sites, {"m1": picture(64, bands=3)}, bands=("blue", "green", "red"))
    with pytest.raises(BadInputError, match="no band nir"):
        chips(make_partition, sites, imagery)


def test_sites_without_image_are_missing_and_empty_chips_left_out(
    lake: Lake, make_partition: Make, imagery_of: Imagery
) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 96), site_row("m2", 510_000.0, 64))
    image = picture(96)
    image[:, :, :64] = 0
    found = chips(make_partition, sites, imagery_of(sites, {"m1": image}))
    manifest = lake.manifest(PartitionRef("chips", "chips", ("here", "2019")))
    assert manifest is not None
    assert [m.item for m in manifest.missing] == ["m2"]
    assert manifest.summary["empty_chips_left_out"] == 2
    assert list(found.index["column"]) == [32, 32]
    assert list(found.index["chip"]) == [0, 1]
    assert found.index["observed_fraction"].tolist() == [0.5, 0.5]


def test_a_site_of_which_too_little_was_seen_is_left_out_with_the_reason_of_the_imagery(
    lake: Lake, make_partition: Make, imagery_of: Imagery
) -> None:
    """Its image is there, and half of it would pass for a map of the whole site."""
    sites = site_frame(*(site_row(f"m{n}", 490_000.0 + 10_000 * n, 64) for n in (1, 2, 3)))
    half = picture(64)
    half[:, :, :40] = 0
    said = {"m2": "37.5% of its window was seen clear of cloud", "m3": "own: no image shows this place"}
    imagery = imagery_of(sites, {"m1": picture(64), "m2": half}, not_observed=said)
    found = chips(make_partition, sites, imagery)
    assert list(found.index["site_id"]) == ["m1"]
    assert found.not_observed == said
    manifest = lake.manifest(PartitionRef("chips", "chips", ("here", "2019")))
    assert manifest is not None
    assert {m.item: (m.reason, m.retry) for m in manifest.missing} == {s: (r, False) for s, r in said.items()}
    assert manifest.summary["sites_not_observed"] == 2


def test_no_image_at_all_gives_an_empty_set(make_partition: Make, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 64))
    found = chips(make_partition, sites, imagery_of(sites, {}))
    assert len(found) == 0
    assert list(found.index.columns)[:3] == ["chip", "site_id", "row"]


def test_labels_lie_where_the_truth_does_and_clouds_are_ignored(make_partition: Make, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 64))
    west, south, east, north = sites.geometry.iloc[0].bounds
    truth = truth_frame((west - 0.01, (south + north) / 2, east + 0.01, north + 0.01))
    image = picture(64)
    image[:, :, :8] = 0
    found = labelled(make_partition, sites, imagery_of(sites, {"m1": image}), truth)
    labels = found.labels(0)
    assert (labels[:, :8] == 255).all()
    assert (labels[:31, 8:] == 1).all()
    assert (labels[33:, 8:] == 0).all()
    assert abs(found.index["mine_fraction"].iloc[0] - 0.5) < 0.02


def test_the_split_is_the_same_in_both_products(make_partition: Make, imagery_of: Imagery) -> None:
    rows = [site_row(f"m{i}", 500_000.0 + 1000 * i, 64, group=f"g{i // 2}") for i in range(10)]
    sites = site_frame(*rows)
    truth = truth_frame((-57.01, -6.4, -57.0, -6.3))
    fine = imagery_of(sites, {f"m{i}": picture(64, i) for i in range(10)})
    coarse = imagery_of(sites, {f"m{i}": picture(32, i) for i in range(3, 10)}, product="sentinel-2-l2a")
    one = labelled(make_partition, sites, fine, truth).index.set_index("site_id")["split"]
    two = labelled(make_partition, sites, coarse, truth).index.set_index("site_id")["split"]
    assert len(two) == 7
    assert one[two.index].equals(two)
    assert set(one) == {"train", "validation", "test"}


def test_the_same_input_gives_the_same_bytes(lake: Lake, imagery_of: Imagery) -> None:
    sites = site_frame(site_row("m1", 500_000.0, 96))
    imagery = imagery_of(sites, {"m1": picture(96)})
    west, south, _, _ = sites.geometry.iloc[0].bounds
    truth = truth_frame((west, south, west + 0.001, south + 0.001))

    def content(name: str) -> list[Any]:
        with lake.writer(PartitionRef("chips", name), "print") as writer:
            outcome = build_chips(sites, imagery, CONFIG, writer, ground_truth=truth)
            manifest = writer.commit("1", {}, outcome)
        return [(f.name, f.sha256) for f in manifest.files]

    assert content("one") == content("two")
    assert len([n for n, _ in content("one") if n.startswith("chips.zarr/pixels/c/")]) == 4


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        ChipsConfig(size=500)
    with pytest.raises(ValueError, match="overlap must be even"):
        ChipsConfig(overlap=63)
    with pytest.raises(ValueError, match="each once"):
        ChipsConfig(bands=("red", "red"))
