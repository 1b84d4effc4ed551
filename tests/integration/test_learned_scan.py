"""A scan by a classifier of one's own, from points to candidates that become sites, by the command line."""

import json
from io import BytesIO
from pathlib import Path

import geopandas as gpd
import pytest
from PIL import Image

from commands import Ended, command
from dagster_project.ui_pages import Pictures
from located import located
from minemap_assets.detection.classifier_assets import PATCH_CLASSIFIER, SAMPLING_IMAGERY
from minemap_assets.detection.dependencies import points_of
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import Made, PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.listener import Listener
from minemap_assets.segmentation.learning.ensemble import STAGE
from minemap_assets.segmentation.verdict import Grade
from minemap_assets.simulation.built_in_worlds import BIRCH, with_unknown_mines
from minemap_assets.sites.promotion import PROMOTED_SITES_PATH
from tiny import WORLD, Chain

REGION, YEAR = BIRCH, "2019"
QUICK = "steps = 80\nlevels = 3", "steps = 60\nbatch_size = 12\ncheckpoint_minutes = 0.0001\nlevels = 3"
SNAPSHOT = "\n[snapshots.seasons]\nwet-2019 = { start = 2019-10-01, end = 2020-01-01 }\n"


def ran(chain: Chain, *words: str, code: int = 0) -> Ended:
    """A command of `minemap scan`, which ends as expected."""
    ended = command(chain, "scan", *words)
    assert ended.code == code, ended.text
    return ended


def make(chain: Chain, asset: Asset, *keys: str, listener: Listener | None = None) -> Made:
    """One partition in this process."""
    project = chain.project if listener is None else chain.project.told(listener)
    return PartitionStates(Graph(chain.registry.rooms, project), project).make(asset, keys)


@pytest.fixture(scope="module")
def pointed(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project with points to learn from, and a mine in no file."""
    chain = located(tmp_path_factory.mktemp("pointed"), with_unknown_mines(WORLD))
    chain.change(*QUICK)
    said = ran(chain, "points", "--from-labels", "--per-mine", "8", "--others", "30", "--place-km", "1.5")
    assert "points" in said.text
    assert "of them in mines" in said.text
    return chain


@pytest.fixture(scope="module")
def imaged(pointed: Chain) -> Chain:
    """The same, with the images of its points."""
    project = pointed.project
    for region in points_of(project):
        assert not make(pointed, SAMPLING_IMAGERY, region).failures
    return pointed


@pytest.fixture(scope="module")
def scanned(imaged: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The same, after a scan of one region and year."""
    chain = imaged.copied(tmp_path_factory.mktemp("scanned") / "chain")
    ran(chain, "run", "--regions", REGION, "--years", YEAR)
    return chain


class StopsAt(Listener):
    """Interrupts a training as soon as so many steps are done."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:  # noqa: ARG002
        """How far a partition is."""
        if stage == STAGE and self.steps <= done < total:
            raise KeyboardInterrupt


class Hears(Listener):
    """Keeps what is said besides."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def noticed(self, sentence: str) -> None:
        """Something that people are to know."""
        self.heard.append(sentence)


def test_a_training_that_was_interrupted_goes_on_to_the_same_bytes(
    imaged: Chain, scanned: Chain, tmp_path: Path
) -> None:
    chain, hears = imaged.copied(tmp_path / "stopped"), Hears()
    with pytest.raises(KeyboardInterrupt):
        make(chain, PATCH_CLASSIFIER, listener=StopsAt(1))
    made = make(chain, PATCH_CLASSIFIER, listener=hears)
    assert any("goes on from step" in sentence for sentence in hears.heard)
    assert made.manifest.content == scanned.open("detection", "patch_classifier").manifest.content


def test_what_is_current_is_kept(scanned: Chain) -> None:
    said = ran(scanned, "run", "--regions", REGION, "--years", YEAR)
    assert not said.said("made")


def test_the_classifier_says_what_it_is_worth(scanned: Chain) -> None:
    manifest = scanned.open("detection", "patch_classifier").manifest
    assert manifest.summary["points_in_mines"] > 10
    assert any(manifest.summary["verdict"].startswith(grade) for grade in Grade)
    detections = scanned.open("detection", "detections", REGION, YEAR).manifest
    assert detections.summary["verdict"] == manifest.summary["verdict"]


def test_whoever_opens_an_asset_sees_a_picture_of_it(scanned: Chain) -> None:
    pictures = Pictures(scanned.project_home, scanned.registry)
    drawn = {}
    for manifest in scanned.manifests():
        if manifest.room == "detection" and Graph(scanned.registry.rooms, scanned.project).asset(manifest.ref).picture:
            place = "/".join([manifest.room, manifest.asset, *manifest.keys, f"{manifest.content[:12]}.webp"])
            with Image.open(BytesIO(pictures.picture(place))) as picture:
                drawn[manifest.asset] = len(picture.convert("RGB").getcolors(1_000_000) or ())
    assert set(drawn) == {"sampling_imagery", "scan_imagery", "patch_scores", "detections", "candidate_sites"}
    assert min(drawn.values()) > 500, "something is to be seen on each"


def test_other_points_do_not_replace_images_unasked(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "other")
    chain.change("steps = 60", "steps = 2")
    ran(chain, "points", "--from-labels", "--per-mine", "3", "--others", "20", "--place-km", "1", "--seed", "9")
    refused = command(chain, "scan", "run", "--regions", REGION, "--years", YEAR, "--dry-run")
    assert refused.code == 0
    refused = command(chain, "scan", "run", "--regions", REGION, "--years", YEAR)
    assert refused.code != 0
    assert "--accept-losses" in refused.text


def test_a_sample_is_labelled_and_gives_precision_and_recall(scanned: Chain, tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    ran(scanned, "sample", "--year", YEAR, "--to", str(folder))
    sample = gpd.read_file(folder / "sample.geojson")
    assert "detected" in set(sample["stratum"])
    assert len(set(sample["stratum"])) > 1
    for name in sample["thumbnail"].head(5):
        with Image.open(folder / name) as picture:
            assert picture.size == (288, 288)
            assert len(picture.getcolors(100_000) or ()) > 50
    unlabelled = command(scanned, "scan", "accuracy", str(folder / "sample.geojson"))
    assert "Precision: not known" in unlabelled.text
    text = json.loads((folder / "sample.geojson").read_text())
    for feature in text["features"]:
        facts = feature["properties"]
        facts["class"] = "mine" if facts["stratum"] == "detected" else "other"
    (folder / "labelled.geojson").write_text(json.dumps(text))
    said = ran(scanned, "accuracy", str(folder / "labelled.geojson")).text
    assert "Precision: 100.0%" in said
    assert "Recall: 100.0%" in said
    again = command(scanned, "scan", "sample", "--year", YEAR, "--to", str(folder))
    assert again.code == 2
    assert "holds something already" in again.text


def test_candidates_are_looked_at_and_become_sites(scanned: Chain, tmp_path: Path) -> None:
    chain, folder = scanned.copied(tmp_path / "chain"), tmp_path / "pages"
    said = ran(chain, "candidates", "--to", str(folder))
    found = gpd.read_file(folder / "candidates.geojson")
    truth = WORLD.truth(int(YEAR))
    hidden = truth[truth["mine_id"].isin(with_unknown_mines(WORLD).hidden)]
    assert found.intersects(hidden.geometry.iloc[0]).sum() == 1, "the mine that nobody knew of"
    assert found["candidate_id"].iloc[0] in said.text
    pages = sorted(folder.glob("*.webp"))
    assert len(pages) == -(-len(found) // 8)
    with Image.open(pages[0]) as picture:
        assert picture.width > 500
    wrong = command(chain, "scan", "promote", found["candidate_id"].iloc[0][:-1] + "?")
    assert wrong.code == 2
    assert "unknown candidate" in wrong.text
    assert "1 new site;" in ran(chain, "promote", found["candidate_id"].iloc[0], "--note", "seen").text
    assert "0 new sites" in ran(chain, "promote", found["candidate_id"].iloc[0]).text
    assert b"seen" in chain.project.lake.store.read_bytes(PROMOTED_SITES_PATH)
    assert command(chain, "scan", "promote").code == 2


def test_detections_are_summed_up(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "chain")
    outline = chain.project.region(REGION).geometry
    areas = gpd.GeoDataFrame({"name": ["west"]}, geometry=[outline.buffer(0.01)], crs=4326)
    areas.to_file(tmp_path / "areas.gpkg")
    ran(chain, "overlay", "reserves", str(tmp_path / "areas.gpkg"), "--column", "name")
    ran(chain, "run", "--regions", REGION, "--years", YEAR)
    (whole,) = json.loads(ran(chain, "summary", "--regions", REGION, "--years", YEAR, "--json").text)
    (inside,) = json.loads(ran(chain, "summary", "--regions", REGION, "--by", "reserves", "--json").text)
    assert whole["detections"] == inside["detections"] > 0
    assert inside["patch_area_km2"] == pytest.approx(whole["patch_area_km2"])
    refused = command(chain, "scan", "summary", "--by", "nothing")
    assert refused.code == 2
    assert "choose one of" in refused.text


def test_a_season_of_its_own_enters_no_series(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "chain")
    refused = command(chain, "scan", "snapshots")
    assert refused.code == 2
    assert "[snapshots.seasons]" in refused.text
    chain.change("[detection]", f"{SNAPSHOT}\n[detection]")
    before = {ref: content for ref, (content, _) in chain.contents().items()}
    ran(chain, "snapshots")
    manifest = chain.open("snapshots", "snapshot_detections", REGION, "wet-2019").manifest
    assert manifest.summary["patches_observed"] > 0
    after = {ref: content for ref, (content, _) in chain.contents().items()}
    assert {ref: after[ref] for ref in before} == before
