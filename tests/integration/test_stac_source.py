"""The source `stac` against real servers on loopback: `rustac serve` as STAC API, and a file server that misbehaves.

pystac-client and odc-stac are the released ones; scenes are made from known truth.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError, NotCoveredError, RetryableError
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.chain import SourceChain
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.stac.source import StacProvenance
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from servers.unreliable import KINDS
from stac_service import GROUND, World
from stac_world import BANDS, TILE, Shot

pytestmark = pytest.mark.integration

SEASON = Season(2021, date(2021, 6, 1), date(2021, 9, 1))
SITE = TILE[150:350, 250:450]
"""200 x 200 pixels of 10 m, across blocks and over the lake."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def days(*dates: str, **same: object) -> list[Shot]:
    return [Shot(day, drift=10 * (n - len(dates) // 2), **same) for n, day in enumerate(dates)]


def expected(grid: GeoBox = SITE) -> np.ndarray:
    """The truth on a block of the tile's own pixels."""
    column = round((grid.affine.c - TILE.affine.c) / 10)
    row = round((grid.affine.f - TILE.affine.f) / -10)
    return np.stack([GROUND[band][row : row + grid.shape[0], column : column + grid.shape[1]] for band in BANDS])


def facts(composite: Composite) -> StacProvenance:
    assert isinstance(composite.provenance, StacProvenance)
    return composite.provenance


FINE = slice(0, 4)
"""The bands whose pixels coincide with the grid's; the others are interpolated."""

OLD = {"baseline": "02.12", "shifted": False}
MIXED = {
    0: [Shot("2021-06-05", "05.00", drift=-20), Shot("2021-07-01", "05.09"), Shot("2021-07-25", "05.11", drift=20)],
    1: [
        Shot("2021-06-05", "02.12", shifted=False, drift=-20),
        Shot("2021-07-01", "04.00"),
        Shot("2021-07-25", "05.10", drift=20),
        Shot("2021-08-10", "03.01", shifted=False, drift=-5),
        Shot("2021-08-20", "05.11", drift=5),
    ],
    2: [
        Shot("2021-06-05", "02.12", shifted=False, drift=-20),
        Shot("2021-07-01", "04.00", shifted=False, flag=True),
        Shot("2021-07-25", "05.10", shifted=True, drift=20, flag=True),
        Shot("2021-08-10", "05.09", shifted=False, drift=-5, flag=False),
        Shot("2021-08-20", "05.11", shifted=True, drift=5, flag=False),
    ],
}
"""In the third collection the items' own flag is wrong in both directions."""


@pytest.mark.parametrize("number", MIXED)
def test_mixed_baselines_give_the_truth_in_every_collection(world: World, number: int) -> None:
    world.fill(*[MIXED[number] if n == number else [] for n in range(3)])
    composite = world.source().read(SITE, SEASON, BANDS)
    error = composite.pixels.astype(int) - expected()
    assert np.abs(error[FINE]).max() <= 2
    assert np.abs(np.median(error, axis=(1, 2))).max() <= 2
    assert (composite.clear_count == len(MIXED[number])).all()
    kept = {scene.id: scene.offset for scene in facts(composite).scenes}
    assert kept == {shot.id: -1000 * shot.shifted for shot in MIXED[number]}


def test_without_the_offset_the_median_would_be_biased(world: World) -> None:
    """The test above can fail: scenes of mixed baselines under a rule that ignores them are far off."""
    old = days("2021-06-05", "2021-06-25", "2021-07-15", **OLD)
    world.fill([], [*old, *days("2021-08-05", "2021-08-25")])
    wrong = world.collections[1].model_copy(update={"offset": "always"})
    composite = world.source(collections=(wrong,)).read(SITE, SEASON, BANDS)
    assert np.abs(composite.pixels.astype(int) - expected())[FINE].max() > 100


def test_clouds_are_masked_and_counted(world: World) -> None:
    cloud = (slice(200, 260), slice(300, 380))
    always = (slice(300, 320), slice(300, 320))
    shots = days("2021-06-05", "2021-06-25", "2021-07-15", "2021-08-05", "2021-08-25")
    shots = [Shot(s.day, drift=s.drift, clouds=(cloud, always) if n < 2 else (always,)) for n, s in enumerate(shots)]
    world.fill(shots)
    composite = world.source().read(SITE, SEASON, BANDS)
    count = np.full(SITE.shape, 5)
    count[50:110, 50:130] = 3
    count[150:170, 50:70] = 0
    assert (composite.clear_count == count).all()
    assert ((composite.pixels > 0) == (count > 0)).all()
    # of drifts -20 to 20 the two lowest are cloudy here, so the middle of what is left is 10
    inner = composite.pixels[FINE, 52:108, 52:128].astype(int) - expected()[FINE, 52:108, 52:128]
    assert np.abs(inner - 10).max() <= 1


def test_what_is_not_covered_falls_through_with_the_reason(world: World) -> None:
    world.fill(days("2020-06-05"))
    chain = SourceChain([world.source(), world.source()], SEASON, BANDS, 0.5)
    with pytest.raises(NotCoveredError, match=r"planetary-computer/sentinel-2-l2a: 0 images, 18 passes") as caught:
        world.source().read(SITE, SEASON, BANDS)
    assert "earth-search/sentinel-2-c1-l2a: 0 images" in str(caught.value)
    with pytest.raises(Exception, match="stac: no sentinel-2-l2a scene"):
        chain.read(SITE)


@pytest.mark.parametrize("place", ["/earth-search", "/planetary-computer", "/tokens", "/private", "/files"])
def test_a_service_that_is_down_never_changes_the_pixels(world: World, place: str) -> None:
    world.fill(days("2021-08-05"), days("2021-06-10", **OLD), days("2021-06-12", "2021-07-20", **OLD))
    world.server.set(share=1.0, kinds=["503"], only=place)
    with pytest.raises(RetryableError, match="HTTP 503"):
        world.source().read(SITE, SEASON, BANDS)
    assert 8 <= len(world.asked(place)) <= 8 * 16  # nothing is asked more often than the attempts allow
    world.server.set(share=0.0)
    assert len(world.source().read(SITE, SEASON, BANDS).provenance.acquisitions) == 4


def test_damaged_blocks_are_noticed_and_fetched_again(world: World) -> None:
    world.fill(days("2021-06-05", "2021-06-25", "2021-07-15", "2021-08-05", "2021-08-25"))
    calm = world.source("calm").read(SITE, SEASON, BANDS)
    world.server.set(share=0.15, kinds=["corrupt block"], seed=2)
    stormy = world.source("stormy", attempts=12).read(SITE, SEASON, BANDS)
    assert sum(bool(entry["fault"]) for entry in world.asked()) > 10
    assert (stormy.pixels == calm.pixels).all()


@pytest.mark.slow
def test_every_fault_together_leaves_a_partition_as_it_is(world: World) -> None:
    world.fill(days("2021-08-05", "2021-08-25"), days("2021-06-10", "2021-06-30", "2021-07-20", **OLD))
    calm = build(world, "calm")
    needed = len(world.asked())
    world.server.set(share=0.2, seed=7)
    stormy = build(world, "stormy")
    log = world.asked()
    assert stormy.outcome.missing == calm.outcome.missing == []
    assert len(calm.index) == len(sites())
    assert (stormy.index["sha256"] == calm.index["sha256"]).all()  # pixels, and every fact beside them
    assert {entry["fault"] for entry in log} == {"", *KINDS}
    assert needed < len(log) <= 2 * needed


@dataclass(frozen=True)
class Built:
    """An imagery partition: what the build said, and the index of its files."""

    outcome: Outcome
    index: gpd.GeoDataFrame


def build(world: World, name: str) -> Built:
    """The partition of both sites, in a lake and with a cache of its own."""
    lake = Lake.local(world.folder / name / "lake", world.folder / name / "state")
    rows = [asdict(to_columns(site)) | {"site_id": f"m{n}"} for n, site in enumerate(sites())]
    frame = gpd.GeoDataFrame(rows, geometry=[footprint_wgs84(site) for site in sites()], crs="EPSG:4326")
    outcomes = []

    def make(writer: PartitionWriter) -> Outcome:
        outcomes.append(build_imagery(frame, [world.source(f"{name}-cache")], SEASON, BANDS, 0.5, writer, workers=2))
        return outcomes[0]

    ref = PartitionRef("imagery", "imagery", ("test", "2021"))
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=make)
    return Built(outcomes[0], open_imagery(lake.open(ref)).index)


def sites() -> list[GeoBox]:
    return [TILE[150:350, 250:450], TILE[160:330, 300:520]]


def test_neighbours_read_a_block_once(world: World) -> None:
    world.fill(days("2021-06-05", "2021-07-01", "2021-07-25", "2021-08-15"))
    source = world.source()
    for site in sites():
        source.read(site, SEASON, BANDS)
    ranges = [(entry["path"], entry["range"]) for entry in world.asked("/files")]
    assert len(ranges) == len(set(ranges))
    spans: dict[str, list[tuple[int, int]]] = {}
    for path, text in ranges:
        start, _, stop = text.removeprefix("bytes=").partition("-")
        if int(start) > 0:  # the first bytes of a file hold its directories
            spans.setdefault(path, []).append((int(start), int(stop)))
    for path, found in spans.items():
        ordered = sorted(found)
        overlap = [b[0] - a[1] for a, b in pairwise(ordered) if b[0] <= a[1] - 8]
        assert not overlap, path
    assert len(world.asked("/earth-search/search")) == 2, "one for each of its collections"
    before = len(world.asked())
    again = world.source().read(sites()[1], SEASON, BANDS)
    assert again.provenance.bytes_read > 0
    assert not [e for e in world.asked()[before:] if "/files" in e["path"] or "/private" in e["path"]]


def test_many_threads_read_a_block_once(world: World) -> None:
    world.fill(days("2021-06-05", "2021-07-15"))
    source = world.source()
    threads = [threading.Thread(target=source.read, args=(SITE, SEASON, BANDS)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ranges = [(entry["path"], entry["range"]) for entry in world.asked("/files")]
    assert ranges
    assert len(ranges) == len(set(ranges))


def test_memory_does_not_change_the_pixels(world: World) -> None:
    world.fill(days("2021-06-05", "2021-06-25", "2021-07-15", "2021-08-05", "2021-08-25"))
    whole = world.source().read(SITE, SEASON, BANDS)
    pieces = world.source(stack_bytes=1_000_000).read(SITE, SEASON, BANDS)
    assert (whole.pixels == pieces.pixels).all()
    assert whole.provenance == pieces.provenance


def test_tokens_are_shared_and_renewed(world: World) -> None:
    world.fill([], days("2021-06-10", "2021-06-30", "2021-07-20", "2021-08-10", **OLD))
    source = world.source()
    source.read(SITE, SEASON, BANDS)
    assert len(world.asked("/tokens")) == 1
    assert len(world.asked("/private")) > 20
    world.server.set(revoke=True)
    source.read(TILE[400:600, 0:200], SEASON, BANDS)
    assert len(world.asked("/tokens")) == 1
    assert (source.read(SITE, SEASON, BANDS).pixels > 0).all()


def test_a_file_that_refuses_everybody_counts_as_missing(world: World) -> None:
    world.fill([], days("2021-06-10", "2021-07-02", "2021-07-30", "2021-08-20"))
    closed = world.collections[1].model_copy(update={"tokens": "", "login": ""})
    with pytest.raises(AuthenticationError, match="HTTP 403"):
        world.source(collections=(closed,)).read(SITE, SEASON, BANDS)


def test_plain_clients_see_the_same_pixels(world: World) -> None:
    import odc.stac
    import pystac_client

    world.fill(days("2021-06-05", "2021-06-25", "2021-07-15", "2021-08-05", "2021-08-25"))
    found = pystac_client.Client.open(world.collections[0].endpoint).search(
        collections=["sentinel-2-c1-l2a"], bbox=(-180, -90, 180, 90), datetime="2021-06-01/2021-08-31", limit=2
    )
    loaded = odc.stac.load(
        found.items(), bands=list(BANDS), geobox=SITE, groupby="time", resampling="bilinear", dtype="uint16"
    )
    values = np.stack([loaded[band].values for band in BANDS], axis=1).astype(np.int64) - 1000
    composite = world.source().read(SITE, SEASON, BANDS)
    assert (composite.pixels == np.median(values, axis=0)).all()


def test_a_file_that_is_cut_off_or_damaged_on_the_server_costs_its_scene(world: World) -> None:
    world.fill(days("2021-06-05", "2021-07-02", "2021-07-30", "2021-08-20"))
    short, rotten = sorted(world.root.glob("**/nir.tif"))[:2]
    short.write_bytes(short.read_bytes()[:-2000])
    data = bytearray(rotten.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    rotten.write_bytes(data)
    composite = world.source().read(SITE, SEASON, BANDS)
    assert len(composite.provenance.acquisitions) == 2
    cut, damaged = sorted(facts(composite).left_out, key=lambda note: note.collection)
    assert "cut off" in cut.text
    assert "the file itself is damaged" in damaged.text


def test_a_file_that_is_gone_is_left_out_and_said_so(world: World) -> None:
    world.fill(days("2021-06-05", "2021-07-02", "2021-07-30", "2021-08-20"))
    sorted(world.root.glob("**/nir.tif"))[0].unlink()
    composite = world.source().read(SITE, SEASON, BANDS)
    assert len(composite.provenance.acquisitions) == 3
    (note,) = facts(composite).left_out
    assert "does not exist" in note.text


def test_cloudy_scenes_are_not_read(world: World) -> None:
    world.fill([Shot("2021-06-05", cloud_cover=99.0), Shot("2021-07-01"), Shot("2021-07-28"), Shot("2021-08-20")])
    composite = world.source().read(SITE, SEASON, BANDS)
    assert len(composite.provenance.acquisitions) == 3
    assert not [e for e in world.asked("/files") if "20210605" in e["path"]]
    with pytest.raises(NotCoveredError, match="more than 5 % cloud"):
        world.source(max_cloud_cover=5.0).read(SITE, SEASON, BANDS)


def test_availability(world: World) -> None:
    world.fill(days("2021-06-05", "2021-07-02", "2021-07-30", "2021-08-20"))
    source = world.source()
    there = source.available(footprint_wgs84(SITE), SEASON)
    assert there.images == 4
    assert there.covered_share == pytest.approx(1.0)


def test_the_newest_scene_tells_which_years_are_final(world: World) -> None:
    world.fill(days("2021-06-05"))
    latest = world.source().latest()
    assert latest.newest == datetime(2021, 6, 5, tzinfo=UTC)
    assert sorted(latest.revisions) == [*range(2015, 2022)]
    assert latest.revisions[2020] == latest.revisions[2016] != latest.revisions[2021]


def test_a_cache_without_room_gives_the_same_pixels(world: World) -> None:
    world.fill(days("2021-06-05", "2021-06-25", "2021-07-15", "2021-08-05", "2021-08-25"))
    roomy = world.source("roomy").read(SITE, SEASON, BANDS)
    cramped = world.source("cramped", limit=0).read(SITE, SEASON, BANDS)
    assert (roomy.pixels == cramped.pixels).all()
    assert not [p for p in (world.folder / "cramped").glob("stac/**/*") if p.is_file()]
