"""Sites put together from labelled chips: seamless, and no ground twice."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.segmentation.site_scoring import SitePicture, labelled_cells, site_pictures
from minemap_assets.segmentation.training_set import assemble

from .conftest import BANDS, SIZE, scene, thirds

Make = Callable[..., ChipSet]


def first_band(chips: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A model that knows nothing but how bright a chip is, 0 to 1 at 1000."""
    return ((chip[0] / 1000.0).astype(np.float32) for chip in chips)


def rows(sites: dict[str, tuple[float, int]], offsets: list[tuple[str, int, int]]) -> gpd.GeoDataFrame:
    """Chips at (row, column) of sites with an easting and a side in pixels."""
    found: list[dict[str, Any]] = []
    for chip, (site, row, column) in enumerate(offsets):
        easting, side = sites[site]
        grid = square_grid(500_000.0 + easting, 9_300_000.0, side, 32721)[row : row + SIZE, column : column + SIZE]
        columns = to_columns(grid)
        found.append(
            {
                "chip": chip,
                "site_id": site,
                "row": row,
                "column": column,
                "observed_fraction": 1.0,
                "crs": columns.crs,
                "transform": list(columns.transform),
                "width": SIZE,
                "height": SIZE,
                "split": "train",
                "split_group": "g0",
                "geometry": footprint_wgs84(grid),
            }
        )
    return gpd.GeoDataFrame(found, geometry="geometry", crs=WGS84)


def flat(value: int, label: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.full((len(BANDS), SIZE, SIZE), value, dtype=np.uint16), np.full((SIZE, SIZE), label, dtype=np.uint8)


def pictures(chips: list[ChipSet]) -> list[SitePicture]:
    return list(site_pictures(chips, assemble(chips).refs, first_band))


def test_chips_that_overlap_are_one_site(chip_set: Make) -> None:
    corners = [("a", 0, 0), ("a", 0, 32), ("a", 32, 0), ("a", 32, 32)]
    chips = [chip_set([flat(500)] * 4, split_of=lambda _: "train", frame=rows({"a": (0, 96)}, corners))]
    (site,) = pictures(chips)
    assert site.stored.shape == site.labels.shape == (96, 96)
    assert (site.stored == 127).all()
    assert (site.labels == 1).all()
    assert site.owned.all()
    assert (site.site_id, site.metres, int(site.counted.sum())) == ("a", 5.0, 96 * 96)


def test_what_was_not_observed_counts_nowhere(chip_set: Make) -> None:
    pixels, labels = flat(500)
    pixels[:, :8], labels[:8] = 0, 255
    corners = [("a", 0, 0), ("a", 32, 32)]
    chips = [chip_set([(pixels, labels), flat(500)], split_of=lambda _: "train", frame=rows({"a": (0, 96)}, corners))]
    (site,) = pictures(chips)
    assert (site.stored[:8, :SIZE] == 255).all()
    assert site.stored[80, 8] == site.labels[80, 8] == 255  # where no chip lies
    assert int(site.counted.sum()) == 2 * SIZE * SIZE - 8 * SIZE - 32 * 32
    assert (site.stored[site.counted] == 127).all()


def test_shared_ground_belongs_to_the_nearest_centre_whatever_is_asked_for(chip_set: Make) -> None:
    # Windows of 320 m whose centres lie 160 m apart share half of their ground.
    frame = rows({"a": (0, SIZE), "b": (160, SIZE)}, [("a", 0, 0), ("b", 0, 0)])
    chips = [chip_set([flat(100), flat(900)], split_of=lambda _: "train", frame=frame)]
    a, b = pictures(chips)
    assert a.owned[:, :48].all()
    assert not a.owned[:, 48:].any()
    assert int(a.owned.sum() + b.owned.sum()) == (SIZE + 32) * SIZE
    (alone,) = site_pictures(chips, assemble(chips).refs[:1], first_band)
    assert (alone.owned == a.owned).all()


def test_a_site_of_two_regions_counts_once(chip_set: Make) -> None:
    frame = rows({"a": (0, SIZE)}, [("a", 0, 0)])
    chips = [chip_set([flat(100)], split_of=lambda _: "train", frame=frame.copy(), region=r) for r in ("one", "two")]
    (site,) = pictures(chips)
    assert site.chip_set == 0
    assert site.owned.all()


def test_sites_come_one_at_a_time(chip_set: Make) -> None:
    chips = [chip_set([scene(i) for i in range(6)], split_of=thirds)]
    read = []

    def counting(given: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for chip in given:
            read.append(1)
            yield (chip[0] / 1000.0).astype(np.float32)

    found = site_pictures(chips, assemble(chips).refs, counting, labelled_cells(chips, "planet-nicfi"))
    assert next(found).site_id == "m000"
    assert len(read) == 1
    assert [site.split for site in found] == ["validation", "train", "test", "train", "validation"]


def test_a_prediction_that_ends_early_is_an_error(chip_set: Make) -> None:
    chips = [chip_set([scene(i) for i in range(3)], split_of=thirds)]
    with pytest.raises(ValueError, match="shorter"):
        list(site_pictures(chips, assemble(chips).refs, lambda _: iter(())))
