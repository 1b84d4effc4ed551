"""No missing and no cloudy pixel enters a mean, wherever swaths, tiles, zones and clouds end, whatever files tell."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from minemap_assets.errors import NotCoveredError
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from swath_edges import (
    AROUND_CLOUD,
    GRID,
    SIZES,
    SLOPE,
    TELLINGS,
    ZONE,
    ZONE_BESIDE,
    Scene,
    Telling,
    places,
    scenes,
    tiles,
    truth,
    write_bands,
)

PRODUCT = "sentinel-2-l2a"
MISSION = {"blue": "B02", "nir": "B08", "swir16": "B11", "coastal": "B01"}
SHIFT = 1000
"""What numbers are larger by, as those of products from baseline 04.00 on are."""

DRAWN = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""Examples are not made smaller: each takes a third of a second."""


def composite(root: Path, bands: Sequence[str], grid: GeoBox = GRID) -> Composite | None:
    """None where no image shows anything of the site."""
    report = index_archive(str(root), name="t", product=PRODUCT, rules=ArchiveRules(offset=-0.1, date="2021-07-01"))
    assert all("no observed pixel" in refusal.reason for refusal in report.refused), report.refused
    source = ArchiveSource(PRODUCT, [read_index("t", str(root), report.features)])
    try:
        return source.read(grid, SeasonRule().season(2021), bands)
    except NotCoveredError:
        return None


def check(
    found: Composite | None, bands: Sequence[str], drawn: Sequence[Scene], coarsest: int, grid: GeoBox = GRID
) -> None:
    """Every pixel is the ground's or not observed; what was clear in a scene is observed, what nobody saw is not."""
    x, y = places(grid)
    stored = np.zeros((len(bands), *x.shape)) if found is None else found.pixels.astype(np.float64)
    seen = stored[0] > 0
    clear, unseen, near = np.zeros_like(seen), np.ones_like(seen), np.zeros_like(seen)
    for scene in drawn:
        ends = [np.minimum(scene.within(band, x, y), scene.within_tile(x, y)) for band in bands]
        inside = np.minimum.reduce(ends)
        cloud = np.full_like(x, -np.inf) if scene.cloud is None else scene.cloud.depth(x, y)
        clear |= (inside > 1.5 * coarsest) & (cloud < -AROUND_CLOUD - 1.5 * coarsest)
        unseen &= (inside < -1.5 * coarsest) | (cloud > -60.0)
        near |= (np.abs(inside) < 3.0 * coarsest) | (cloud > -AROUND_CLOUD - 3.0 * coarsest)
    assert seen[clear].all()
    assert not seen[unseen].any()
    for band, pixels in zip(bands, stored, strict=True):
        apart = np.abs(pixels - truth(band, x, y))
        assert apart[seen & ~near].max(initial=0.0) <= 1.05, band
        assert apart[seen].max(initial=0.0) <= 1.05 + SLOPE * 1.5 * max(SIZES[band], grid.resolution.x), band


def one_file_a_band(root: Path, scene: Scene, number: int, tellings: Sequence[Telling]) -> None:
    for (band, size), telling in zip(SIZES.items(), tellings, strict=True):
        path = root / f"{number}_20210701_{MISSION[band]}.tif"
        write_bands(path, scene.numbers(band, SHIFT)[np.newaxis], scene.ground(size), telling)
    write_bands(root / f"{number}_20210701_SCL.tif", scene.classes()[np.newaxis], scene.ground(20))


PLAIN = [Telling()] * len(SIZES)


@DRAWN
@given(drawn=scenes(), tellings=st.lists(TELLINGS, min_size=len(SIZES), max_size=len(SIZES)))
def test_bands_of_three_sizes_from_two_zones(drawn: tuple[Scene, ...], tellings: list[Telling]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, scene in enumerate(drawn):
            one_file_a_band(Path(folder), scene, number, tellings)
        check(composite(Path(folder), list(SIZES)), list(SIZES), drawn, max(SIZES.values()))


TWO = ("blue", "nir")


def middle(zone: int) -> st.SearchStrategy[Scene]:
    """Scenes of a zone whose swath ends in the site, alike in both bands."""
    return st.builds(Scene, tiles(zone), st.integers(0, 6).map(float), st.integers(-200, 300).map(float))


@DRAWN
@given(
    scene=middle(ZONE) | middle(ZONE_BESIDE), telling=TELLINGS, cut=st.integers(20, 160), step=st.sampled_from([1, 2])
)
@example(scene=Scene(GRID.pad(20), 0.3, 100.0), telling=Telling(photometric="RGB", alpha=True), cut=52, step=1)
@example(scene=Scene(GRID.pad(20), 0.3, 100.0), telling=Telling(overviews=True), cut=52, step=2)
def test_pieces_of_one_picture_in_files_of_several_bands(scene: Scene, telling: Telling, cut: int, step: int) -> None:
    """On pixels as large as the files' own they are interpolated, on larger ones averaged."""
    grid = GRID.zoom_out(step)
    numbers = np.stack([scene.numbers(band, SHIFT) for band in (*TWO, *TWO)])[:3]
    cut = min(cut, scene.tile.shape[1] - 8)
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("a", np.s_[:, :cut]), ("b", np.s_[:, cut:])):
            path = Path(folder) / f"{name}_20210701.tif"
            write_bands(path, numbers[:, *part], scene.tile[part], telling, ("blue", "nir", "other"))
        check(composite(Path(folder), TWO, grid), TWO, [scene], 10 * step, grid)
