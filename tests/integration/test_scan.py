"""A scan from weights to candidates: through the command line, interrupted, of regions that overlap, under cloud."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from keras_weights import random_network, write_ensemble
from located import located
from minemap_assets.detection import assets as detection
from minemap_assets.detection import classifier_assets
from minemap_assets.detection.networks.shapes import Group, PatchShape
from minemap_assets.detection.published import import_weights
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.project.listener import Listener
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from tiny import Chain

SHAPE = PatchShape(pixels=48, bands=3, groups=(Group(filters=4, convolutions=1, pool=4),), dense=(8,))
REGION, YEAR = "alder-basin", "2019"


class StopsAt(Listener):
    """Interrupts the scoring once so many tiles are done."""

    def __init__(self, tiles: int) -> None:
        self.tiles = tiles

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:  # noqa: ARG002
        """How far a partition is."""
        if stage == "scoring tile" and done == self.tiles:
            raise KeyboardInterrupt


def make(chain: Chain, asset: Asset, *keys: str, listener: Listener | None = None) -> Manifest:
    """One partition, which passes."""
    project = chain.project if listener is None else chain.project.told(listener)
    made = PartitionStates(Graph(chain.registry.rooms, project), project).make(asset, keys)
    assert not made.failures
    return made.manifest


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project with an ensemble of two, and the imagery of one region and year."""
    chain = located(tmp_path_factory.mktemp("scanned"))
    weights = tmp_path_factory.mktemp("weights") / "weights.h5"
    write_ensemble([random_network(SHAPE, seed) for seed in (1, 2)], weights)
    import_weights(chain.project.lake.store, weights, "weights.h5", licence="for tests")
    make(chain, classifier_assets.PATCH_CLASSIFIER)
    make(chain, detection.SCAN_IMAGERY, REGION, YEAR)
    return chain


def scores(chain: Chain, region: str = REGION) -> pd.DataFrame:
    """The patches of a region."""
    partition = chain.open("detection", "patch_scores", region, YEAR)
    return pd.read_parquet(partition.file("patch_scores.parquet")).set_index("patch_id")


@pytest.mark.parametrize("tiles", [1, 3])
def test_a_scan_that_was_interrupted_at_a_tile_goes_on_there_to_the_same_scores(
    scanned: Chain, tmp_path: Path, tiles: int
) -> None:
    whole, stopped = scanned.copied(tmp_path / "whole"), scanned.copied(tmp_path / "stopped")
    make(whole, detection.PATCH_SCORES, REGION, YEAR)
    with pytest.raises(KeyboardInterrupt):
        make(stopped, detection.PATCH_SCORES, REGION, YEAR, listener=StopsAt(tiles))
    manifest = make(stopped, detection.PATCH_SCORES, REGION, YEAR)
    assert manifest.summary["tiles_kept_from_an_interrupted_run"] == tiles
    assert manifest.content == whole.open("detection", "patch_scores", REGION, YEAR).manifest.content


def test_regions_that_overlap_agree_on_every_patch_they_share(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "both")
    regions = dict(chain.project.regions)
    west, south, east, north = regions[REGION].geometry.bounds
    regions["other"] = Region("other", "Other", shapely.box((west + east) / 2, south, east, (south + north) / 2))
    chain.project.lake.store.write_bytes(REGIONS_PATH, write_regions(regions.values()))
    make(chain, detection.SCAN_IMAGERY, "other", YEAR)
    for region in (REGION, "other"):
        make(chain, detection.PATCH_SCORES, region, YEAR)
    one, other = scores(chain), scores(chain, "other")
    shared = one.index.intersection(other.index)
    assert len(shared) > 100
    one, other = one.loc[shared], other.loc[shared]
    assert np.array_equal(one["score"], other["score"], equal_nan=True)
    assert all(np.array_equal(a, b) for a, b in zip(one["member_scores"], other["member_scores"], strict=True))


def test_what_cloud_hides_is_not_observed_and_never_no_mine(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "cloudy")
    make(chain, detection.PATCH_SCORES, REGION, YEAR)
    make(chain, detection.DETECTIONS, REGION, YEAR)
    table = scores(chain)
    hidden = (table["observed_share"] < 0.9) | (table["observations"] < 1.0)
    assert 10 < hidden.sum() < len(table)
    assert table.loc[hidden, "score"].isna().all()
    assert table.loc[~hidden, "score"].notna().all()
    summary = chain.open("detection", "detections", REGION, YEAR).manifest.summary
    lost = chain.frame("detection", "detections", REGION, YEAR, file="not_observed.parquet")
    assert summary["not_observed_km2"] == pytest.approx(lost["area_km2"].sum(), abs=1e-3)
    assert lost["area_km2"].sum() > 0.1


def test_a_region_in_the_sea_is_refused_in_one_sentence(scanned: Chain, tmp_path: Path) -> None:
    from minemap_assets.errors import BadInputError

    chain = scanned.copied(tmp_path / "sea")
    sea = Region("sea", "Sea", shapely.box(-40.0, 30.0, -39.9, 30.1))
    chain.project.lake.store.write_bytes(REGIONS_PATH, write_regions([*chain.project.regions.values(), sea]))
    with pytest.raises(BadInputError, match="the region sea holds no land, so there is nothing to scan"):
        make(chain, detection.SCAN_IMAGERY, "sea", YEAR)
