"""Annual embeddings through `earth-engine`, from the service's tiles to a model that is trained on few sites."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from rasterio.warp import Resampling, reproject
from shapely.geometry import shape

from earth_engine_vectors import EPSG, PRODUCT, ROW, SEAM, VERSION, YEAR, Vectors, is_mine, serve_vectors
from earth_engine_world import without_credentials
from minemap_assets.chips.build import build_chips
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.reader import open_chips
from minemap_assets.errors import BadInputError, NotCoveredError
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.drawing import imagery_picture
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import CALENDAR_YEAR, SeasonRule
from minemap_assets.imagery.source import NO_CLOUD_MASK
from minemap_assets.imagery.sources.earth_engine.config import EMBEDDING_TERMS
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.net.policy import Clock
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.evaluation.build import evaluate_model
from minemap_assets.segmentation.training import train_model

pytestmark = pytest.mark.integration

BANDS = PRODUCT.bands


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vectors]:
    with serve_vectors(tmp_path_factory.mktemp("vectors")) as running:
        yield running


@pytest.fixture
def source(vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EarthEngineSource:
    without_credentials(monkeypatch, tmp_path)
    key = vectors.server.write_key(tmp_path / "key.json", vectors.keys)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    clock = Clock(now=lambda: datetime(2022, 11, 1, tzinfo=UTC))
    return EarthEngineSource(PRODUCT.name, vectors.server.config(), clock=clock)


def test_vectors_arrive_as_they_are_and_the_own_zone_lies_on_top(vectors: Vectors, source: EarthEngineSource) -> None:
    composite = source.read(SEAM, YEAR, BANDS)
    there = np.full((64, *SEAM.shape), np.nan, dtype=np.float32)
    beside = {"src_transform": vectors.other_grid.affine, "src_crs": str(vectors.other_grid.crs)}
    here = {"dst_transform": SEAM.affine, "dst_crs": str(SEAM.crs), "tolerance": 0.01}
    reproject(vectors.other.astype(np.float32), there, **beside, **here, resampling=Resampling.nearest)
    lacking = np.isnan(vectors.own).any(axis=0)
    there[:, :, :16] = np.where(lacking, there[:, :, :16], vectors.own)
    expected = PRODUCT.encoding.stored(there)
    np.testing.assert_array_equal(composite.pixels, expected)
    assert lacking.any()
    assert (composite.clear_count == 1).all()
    lengths = np.linalg.norm(PRODUCT.encoding.physical(composite.pixels), axis=0)
    assert np.abs(lengths - 1.0).max() < 0.02


def test_terms_versions_and_days_are_the_datasets(source: EarthEngineSource) -> None:
    provenance = source.read(SEAM, YEAR, BANDS[:3]).provenance
    assert provenance.terms == EMBEDDING_TERMS
    assert provenance.redistributable
    assert provenance.processing_baseline == VERSION
    assert provenance.acquisition_days == ("2021-01-01/2021-12-31",)
    assert provenance.cloud_mask == NO_CLOUD_MASK
    assert provenance.acquisitions == ("a neighbour", "b own")


def test_only_whole_calendar_years_that_there_are_can_be_read(source: EarthEngineSource) -> None:
    with pytest.raises(BadInputError, match=r"one image a calendar year .* set the season's months to 1 and 12"):
        source.read(SEAM, SeasonRule().season(2021), BANDS)
    with pytest.raises(NotCoveredError):
        source.read(SEAM, CALENDAR_YEAR.season(2019), BANDS)
    assert source.available(footprint_wgs84(SEAM), YEAR).images == 2
    latest = source.latest_by_season(SeasonRule())
    assert (min(latest.revisions), max(latest.revisions), set(latest.revisions.values())) == (2017, 2021, {"complete"})


def test_a_light_model_learns_from_few_sites(source: EarthEngineSource, tmp_path: Path) -> None:
    """From the service to scores on ground that was not trained on, through every room's own build."""
    lake = Lake.local(tmp_path / "lake", tmp_path / "state")

    def made(room: str, asset: str, build: Callable[[Any], Outcome]) -> Partition:
        ref = PartitionRef(room, asset, ("r", "2021"))
        build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
        return lake.open(ref)

    images = made("imagery", "imagery", lambda w: build_imagery(sites(), [source], YEAR, BANDS, 0.1, w))
    assert imagery_picture(images)[8:12] == b"WEBP"
    cut = ChipsConfig(size=64, overlap=0, bands=BANDS, validation_share=0.0, test_share=0.3)
    training = made(
        "chips",
        "training_chips",
        lambda w: build_chips(sites(), open_imagery(images), cut, w, ground_truth=truth()),
    )
    chips = [open_chips(training)]
    config = SegmentationConfig(**LIGHT)
    model = made("segmentation", "segmentation_model", lambda w: train_model(chips, config, w, {}))
    report = made("segmentation", "model_evaluation", lambda w: evaluate_model(model, chips, config, w))
    scores: Any = report.manifest.summary["scores"]
    learnt, threshold = (scores[f"{PRODUCT.name} test {method}"]["iou"] for method in ("match_area", "baseline"))
    tested = chips[0].index[chips[0].index["split"] == "test"]
    constant = float(tested["mine_fraction"].mean())
    assert learnt > max(3 * constant, threshold + 0.1), (learnt, threshold, constant)


LIGHT: dict[str, Any] = {
    "widths": (8, 12),
    "detail": 0,
    "reduction": 2,
    "folds": 2,
    "crop": 64,
    "batch_size": 4,
    "steps": 24,
    "warmup": 3,
    "learning_rate": 1e-2,
    "threads": 1,
    "device": "cpu",
    "precision": "float32",
}


def sites() -> gpd.GeoDataFrame:
    rows = []
    for place, grid in enumerate(ROW):
        columns = to_columns(grid)
        outline = footprint_wgs84(grid)
        rows.append(
            {
                "site_id": f"m{place}",
                "region": "r",
                "origin": "reference",
                "ground_resolution": 5.0,
                "split_group": f"g{place}",
                "crs": columns.crs,
                "transform": list(columns.transform),
                "width": columns.width,
                "height": columns.height,
                "longitude": outline.centroid.x,
                "latitude": outline.centroid.y,
                "geometry": outline,
            }
        )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


def truth() -> gpd.GeoDataFrame:
    from rasterio.features import shapes

    found = []
    for grid in ROW:
        mine = is_mine(grid)
        outlines = shapes(mine.astype(np.uint8), mask=mine, transform=grid.affine)
        found += [shape(one) for one, _ in outlines]
    frame = gpd.GeoDataFrame({"layer": ["labels"] * len(found)}, geometry=found, crs=f"EPSG:{EPSG}")
    frame["truth_id"] = [f"t{n}" for n in range(len(found))]
    return frame.to_crs("EPSG:4326")
