"""A site that an image does not cover, or of which too little was seen, fails for itself: the partition goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from archives import write_tif
from gradient import BANDS, REF, SEASON, GradientSource, sites_frame, west
from odc.geo.geobox import GeoBox

from dagster_project.registry import Registry
from minemap_assets.errors import NotCoveredError, NotFoundError, RetryableError
from minemap_assets.graph.context import CheckOutcome, InputContext
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.checks import COVERAGE_CHECKS
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.not_observed import FILE, most_unobserved, read_not_observed, too_little_seen
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite, ImagerySource
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


@dataclass
class PatchySource(GradientSource):
    """Sees only a share of some sites, by the western edge of their windows."""

    shares: dict[str, float] = field(default_factory=dict)

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        self.clear_share = self.shares.get(f"{grid.affine.c:.0f}", 1.0)
        return super().read(grid, season, bands)


def made(
    lake: Lake, source: ImagerySource, frame: gpd.GeoDataFrame, share: float = 0.2, season: Season = SEASON
) -> Partition:
    build_partition(
        lake,
        REF,
        code_version="1",
        config={},
        inputs={},
        build=lambda w: build_imagery(frame, [source], season, BANDS, 0.5, w, max_unobserved_share=share),
    )
    return lake.open(REF)


def checked(lake: Lake, partition: Partition, share: float = 0.2) -> CheckOutcome:
    lake.store.write_bytes(SETTINGS_PATH, f"[imagery]\nmax_unobserved_share = {share}\n".encode())
    project = ProjectHome(lake, Registry().parts()).open()
    (check,) = COVERAGE_CHECKS
    return check.evaluate(partition, InputContext(project, REF, {}, {}))


def patchy(frame: gpd.GeoDataFrame, poor: Sequence[str] = (), uncovered: Sequence[str] = ()) -> PatchySource:
    shares = {west(frame, site): 0.125 for site in poor}
    return PatchySource(
        shares=shares, errors={west(frame, site): NotCoveredError("it ends here") for site in uncovered}
    )


def test_windows_that_an_archive_covers_in_part_or_not_at_all_fail_alone(lake: Lake, tmp_path: Path) -> None:
    """Of five windows one is covered for a quarter and one not at all: the others go on, and each says why not."""
    frame = sites_frame(5)
    grids = [(500_000.0 + 10_000 * n, 9_000_000.0) for n in range(5)]
    for number, (east, north) in enumerate(grids[:4]):
        side = 32 if number != 2 else 16
        pixels = np.full((4, side, side), 700, dtype=np.uint16)
        corner = (east - 160.0, north + 160.0)
        write_tif(
            tmp_path / "files" / f"site{number}_20210701.tif",
            pixels,
            Affine(10.0, 0.0, corner[0], 0.0, -10.0, corner[1]),
            bands=BANDS,
            nodata=0,
        )
    root = str(tmp_path / "files")
    report = index_archive(root, name="own", product="planet-nicfi", rules=ArchiveRules(bands=BANDS))
    partition = made(lake, ArchiveSource("planet-nicfi", [read_index("own", root, report.features)]), frame)
    reasons = read_not_observed(partition)
    assert list(reasons) == ["m2", "m4"]
    assert reasons["m2"].startswith("the image covers 25% of its window, below the 50% that [imagery]"), reasons
    assert reasons["m4"].startswith("archive: no planet-nicfi image in the archive own shows this place"), reasons
    assert [(m.item, m.reason, m.retry) for m in partition.manifest.missing] == [
        (site, reason, False) for site, reason in reasons.items()
    ]
    assert open_imagery(partition).site_ids == ("m0", "m1", "m2", "m3"), "the part that was seen is kept for people"
    assert checked(lake, partition, share=0.4).passed
    outcome = checked(lake, partition)
    assert not outcome.passed
    assert outcome.sentence.endswith(
        "2 of 5 sites are not observed, more than [imagery] max_unobserved_share (20%) allows"
    )


@pytest.mark.parametrize(
    ("sites", "poor", "uncovered", "share", "passes"),
    [
        (2, ["m0"], [], 0.2, True),
        (2, [], ["m0"], 0.2, True),
        (10, ["m0"], ["m1"], 0.2, True),
        (10, ["m0", "m2"], ["m1"], 0.2, False),
        (3, ["m0"], [], 0.0, False),
        (1, ["m0"], [], 0.2, False),
        (1, ["m0"], [], 1.0, True),
    ],
)
def test_only_more_than_the_set_share_fails_the_check(
    lake: Lake, sites: int, poor: list[str], uncovered: list[str], share: float, passes: bool
) -> None:
    frame = sites_frame(sites)
    outcome = checked(lake, made(lake, patchy(frame, poor, uncovered), frame, share), share)
    assert outcome.passed is passes, outcome.sentence
    assert all(site in outcome.sentence for site in (*poor, *uncovered))


def test_a_failed_site_fails_the_check_at_any_share(lake: Lake) -> None:
    """What may pass is tried again, and is never taken for ground that was not observed."""
    frame = sites_frame(10)
    source = PatchySource(errors={west(frame, "m3"): RetryableError("timed out")})
    partition = made(lake, source, frame, 1.0)
    assert read_not_observed(partition) == {}
    outcome = checked(lake, partition, 1.0)
    assert not outcome.passed
    assert outcome.sentence.startswith("9 of 10 sites are at least 50% clear; failed: m3 (timed out), tried again")


def test_a_year_without_any_image_passes_only_where_all_may_lack(lake: Lake) -> None:
    frame = sites_frame(2)
    nothing = patchy(frame, uncovered=["m0", "m1"])
    with pytest.raises(NotFoundError, match="no planet-nicfi imagery for 2021"):
        made(lake, nothing, frame, 0.99)
    partition = made(lake, nothing, frame, 1.0)
    assert open_imagery(partition).site_ids == ()
    assert list(read_not_observed(partition)) == ["m0", "m1"]
    assert checked(lake, partition, 1.0).passed


def test_another_minimum_changes_what_the_partition_holds(lake: Lake) -> None:
    """So that chips and masks are made again, though no image changed."""
    frame = sites_frame(3)
    before = made(lake, patchy(frame, poor=["m1"]), frame).manifest
    lake.store.delete(f"{REF.prefix}/manifest.json")
    again = patchy(frame, poor=["m1"])
    build_partition(
        lake,
        REF,
        code_version="1",
        config={"minimum": 0.1},
        inputs={},
        build=lambda w: build_imagery(frame, [again], SEASON, BANDS, 0.1, w),
    )
    after = lake.open(REF).manifest
    assert again.reads == [], "no pixel is fetched again"
    assert after.missing == ()
    changed = {a.name for a, b in zip(before.files, after.files, strict=True) if a.sha256 != b.sha256}
    assert changed == {FILE}


def test_the_reason_says_whether_cloud_was_told_from_ground() -> None:
    limit = "below the 50% that [imagery] min_clear_fraction asks for"
    assert too_little_seen(0.12, 0.5, "none") == f"the image covers 12% of its window, {limit}"
    assert too_little_seen(0.49999, 0.5, "SCL") == f"49.9% of its window was seen clear of cloud, {limit}"


def test_one_site_never_fails_its_partition_alone_and_all_never_pass_by_rounding() -> None:
    found = {sites: most_unobserved(sites, 0.2) for sites in (0, 1, 2, 5, 9, 10, 200)}
    assert found == {0: 0, 1: 0, 2: 1, 5: 1, 9: 1, 10: 2, 200: 40}
    assert [most_unobserved(3, share) for share in (0.0, 0.999, 1.0)] == [0, 2, 3]
