"""Sources that stand in for each other, by the command line: a failure never does what a gap does.

"Not covered" falls through to the next source of the same product, with the reason recorded; a service that fails has
its sites wait, and a rerun asks for those alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from minemap_assets.geo.raster import read_raster
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.settings import SETTINGS_PATH
from roads import BRIGHTNESS, YEARS, Roads, without_secrets
from servers.planet_faults import Fault
from terminal import Answer, Terminal
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NEAR_SITE, FAR_SITE = "near", "far"


@pytest.fixture
def minemap(
    roads: Roads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    roads.calm()
    without_secrets(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.setenv(**roads.credentials(tmp_path / "credentials"))
    return terminal


class Trial:
    """One product of a project, run by a person."""

    def __init__(self, minemap: Terminal, chain: Chain, product: str) -> None:
        self.minemap = minemap
        self.chain = chain
        self.product = product
        self.year = str(YEARS[product])
        environment = chain.environment
        minemap.setenv(MINEMAP_HOME=environment.home, MINEMAP_STATE=str(environment.state))

    def run(self) -> Answer:
        return self.minemap("run", "--select", "imagery/imagery", "--years", self.year)

    @property
    def partition(self) -> Partition:
        return self.chain.open("imagery", "imagery", "place", self.year)

    def sources(self) -> dict[str, str]:
        """Source of each site by the index, which must be what its pixels show."""
        index = self.chain.frame("imagery", "imagery", "place", self.year).to_crs(4326)
        names = self.names()
        for row in index.itertuples():
            pixels = read_raster(self.partition.file(row.file)).pixels
            assert np.median(pixels[0]) == BRIGHTNESS[row.source], row
            assert row.product == self.product
        return {names[row.site_id]: row.source for row in index.itertuples()}

    def names(self) -> dict[str, str]:
        """Sites from west to east."""
        made = self.chain.frame("sites", "sites", "place", file="sites.parquet")
        ordered = made.assign(x=made.geometry.centroid.x).sort_values("x")["site_id"]
        return dict(zip(ordered, (NEAR_SITE, FAR_SITE), strict=True))

    def missing(self) -> dict[str, tuple[bool, str]]:
        """Whether each missing site is tried again, and why it is missing."""
        names = self.names()
        return {names[m.item]: (m.retry, m.reason) for m in self.partition.manifest.missing}

    def metadata(self) -> Mapping[str, object]:
        """What Dagster shows of the newest materialisation."""
        from dagster_project.instance import open_instance

        with open_instance(self.chain.environment.dagster_home) as instance:
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(["imagery", "imagery"]),
                    asset_partitions=[str(partition_key(("place", self.year)))],
                ),
                limit=1,
            ).records
            (record,) = records
            assert record.asset_materialization is not None
            return {name: value.value for name, value in record.asset_materialization.metadata.items()}


Begin = Callable[..., Trial]


@pytest.fixture
def begin(minemap: Terminal, roads: Roads, sites: Chain, tmp_path: Path) -> Begin:
    def start(product: str, *sources: str) -> Trial:
        chain = roads.project(tmp_path / "project", sites, **{product.replace("-", "_"): sources})
        trial = Trial(minemap, chain, product)
        if "archive" in sources:
            assert minemap("archive", "index", str(roads.archive)).code == 0
        return trial

    return start


def fail(roads: Roads, source: str) -> None:
    """Have a service answer everything with 503."""
    match source:
        case "planet-basemaps":
            roads.planet.fail(1.0, Fault.UNAVAILABLE)
        case "earth-engine":
            roads.earth_engine.set(share=1.0, kinds=["503"])
        case _:
            roads.stac.server.set(share=1.0, kinds=["503"])


CHAINS = [
    ("planet-nicfi", "planet-basemaps", "archive"),
    ("sentinel-2-l2a", "earth-engine", "stac"),
    ("sentinel-2-l2a", "stac", "archive"),
]


@pytest.mark.parametrize(("product", "first", "second"), CHAINS, ids=[f"{a} before {b}" for _, a, b in CHAINS])
def test_a_503_never_makes_another_source_step_in(
    roads: Roads, begin: Begin, product: str, first: str, second: str
) -> None:
    trial = begin(product, first, second)
    fail(roads, first)
    answer = trial.run()
    assert answer.code == 1
    assert "503" in answer.err
    assert "run again later" in answer.err
    assert trial.chain.project.lake.manifest(PartitionRef("imagery", "imagery", ("place", trial.year))) is None, (
        "nothing was published"
    )

    roads.calm()
    assert trial.run().code == 0
    found = trial.sources()
    assert found[NEAR_SITE] == first
    assert found[FAR_SITE] == (first if first == "stac" else second)


@pytest.mark.parametrize(("product", "first", "second"), CHAINS[:2], ids=[f"{a} before {b}" for _, a, b in CHAINS[:2]])
def test_what_is_not_covered_falls_through_with_the_reason(begin: Begin, product: str, first: str, second: str) -> None:
    trial = begin(product, first, second)
    assert trial.run().code == 0
    assert trial.sources() == {NEAR_SITE: first, FAR_SITE: second}
    assert trial.partition.manifest.summary["sources"] == {first: 1, second: 1}
    (passed,) = trial.partition.manifest.summary["passed_over"]
    assert passed["source"] == first
    assert "this place" in passed["reason"]
    said = str(trial.metadata())
    assert first in said
    assert second in said
    assert passed["reason"] in said
    (far,) = [site for site, name in trial.names().items() if name == FAR_SITE]
    facts = read_raster(trial.partition.file(f"{far}.tif")).facts
    assert facts["passed_over"] == [{"source": first, "reason": passed["reason"]}]


def test_only_the_sites_that_failed_are_asked_for_again(roads: Roads, begin: Begin) -> None:
    """The second source fails where the first has nothing: that site waits, the other is kept."""
    trial = begin("sentinel-2-l2a", "earth-engine", "stac")
    fail(roads, "stac")
    answer = trial.run()
    assert answer.code == 1
    assert "covers_sites failed" in answer.sentence
    assert "503" in answer.sentence, "which and why"
    assert trial.sources() == {NEAR_SITE: "earth-engine"}
    ((name, (retry, reason)),) = trial.missing().items()
    assert (name, retry) == (FAR_SITE, True)
    assert "503" in reason
    kept = {p.name: p.stat().st_mtime_ns for p in trial.chain.folder.rglob("lake/imagery/**/*.tif")}

    roads.calm()
    assert trial.run().code == 0
    assert trial.sources() == {NEAR_SITE: "earth-engine", FAR_SITE: "stac"}
    assert not trial.missing()
    after = {p.name: p.stat().st_mtime_ns for p in trial.chain.folder.rglob("lake/imagery/**/*.tif")}
    assert kept.items() <= after.items()
    assert not roads.earth_engine.log("computePixels"), "no pixels of the site that was kept are asked for again"


def test_a_site_that_no_source_covers_waits_until_a_source_changes(
    roads: Roads, begin: Begin, minemap: Terminal
) -> None:
    trial = begin("planet-nicfi", "planet-basemaps")
    assert trial.run().code == 0
    ((name, (retry, reason)),) = trial.missing().items()
    assert (name, retry) == (FAR_SITE, False)
    assert "shows this place" in reason
    before = roads.planet.stats()["counts"]
    assert trial.run().code == 0
    assert roads.planet.stats()["counts"] == before, "nothing changed, so nothing is asked for"

    settings = trial.chain.project.lake.store.read_bytes(SETTINGS_PATH).decode()
    changed = settings.replace("planet-nicfi = ['planet-basemaps']", "planet-nicfi = ['planet-basemaps', 'archive']")
    assert changed != settings
    trial.chain.project.lake.store.write_bytes(SETTINGS_PATH, changed.encode())
    assert minemap("archive", "index", str(roads.archive)).code == 0
    assert trial.run().code == 0
    assert trial.sources() == {NEAR_SITE: "planet-basemaps", FAR_SITE: "archive"}
    assert roads.planet.stats()["counts"].get("download") == before.get("download")
