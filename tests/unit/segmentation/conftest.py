"""Small chip sets of scenes drawn for the purpose, and a model of fixture size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.chips.reader import ChipSet, open_chips
from minemap_assets.chips.store import ChipStore
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.config import SegmentationConfig

BANDS = ("blue", "green", "red", "nir")
SIZE = 64

TINY: dict[str, Any] = {
    "widths": (6, 8),
    "detail": 2,
    "reduction": 1,
    "folds": 2,
    "crop": 32,
    "batch_size": 4,
    "steps": 6,
    "warmup": 2,
    "threads": 1,
    "device": "cpu",
    "precision": "float32",
}

TINY_SEGFORMER: dict[str, Any] = {
    "architecture": "segformer",
    "hidden_sizes": (8, 8, 16, 16),
    "heads": (1, 1, 2, 2),
    "decoder_width": 16,
    "folds": 1,
    "validate_every": 3,
}
"""What makes it one SegFormer that validation chooses."""


def tiny_config(**changes: Any) -> SegmentationConfig:
    return SegmentationConfig(**(TINY | changes))


def scene(seed: int, *, gain: float = 1.0, mine: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A bright bare disc (the mine) and a bare strip of the same brightness in every single band but green."""
    rng = np.random.default_rng(seed)
    base = np.array([400.0, 600.0, 500.0, 3000.0])[:, None, None] * np.ones((4, SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE]
    labels = np.zeros((SIZE, SIZE), dtype=np.uint8)
    if mine:
        cy, cx = rng.integers(18, 46, 2)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < rng.integers(9, 15) ** 2] = 1
    base[:, labels == 1] = np.array([1200.0, 1500.0, 2100.0, 2600.0])[:, None]
    pixels = base * gain * (1.0 + 0.05 * rng.standard_normal(base.shape))
    return np.maximum(pixels, 1.0).astype(np.uint16), labels


def chip_rows(count: int, group_of: Callable[[int], str], split_of: Callable[[int], str] | None) -> gpd.GeoDataFrame:
    rows = []
    for chip in range(count):
        grid = square_grid(500_000.0 + 2000.0 * chip, 9_300_000.0, SIZE, 32721)
        columns = to_columns(grid)
        row: dict[str, Any] = {
            "chip": chip,
            "site_id": f"m{chip:03d}",
            "row": 0,
            "column": 0,
            "observed_fraction": 1.0,
            "crs": columns.crs,
            "transform": list(columns.transform),
            "width": SIZE,
            "height": SIZE,
            "geometry": footprint_wgs84(grid),
        }
        if split_of is not None:
            row |= {"split": split_of(chip), "split_group": group_of(chip), "mine_fraction": 0.0}
        rows.append(row)
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


def no_rows() -> gpd.GeoDataFrame:
    """An index without chips, as the chips room writes it."""
    return chip_rows(1, lambda _: "", lambda _: "train").iloc[:0]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


@pytest.fixture
def make_partition(lake: Lake) -> Callable[..., Partition]:
    """Runs a build and opens what it published."""

    def make(room: str, asset: str, *keys: str, build: Callable[..., Outcome], config: Any = None) -> Partition:
        ref = PartitionRef(room, asset, keys)
        build_partition(lake, ref, code_version="1", config=config or {}, inputs={}, build=build)
        return lake.open(ref)

    return make


@pytest.fixture
def chip_set(make_partition: Callable[..., Partition]) -> Callable[..., ChipSet]:
    """A chips partition of given scenes; `split_of` makes it a labelled one."""

    def make(
        scenes: list[tuple[np.ndarray, np.ndarray]],
        *,
        product: str = "planet-nicfi",
        region: str = "here",
        bands: tuple[str, ...] = BANDS,
        split_of: Callable[[int], str] | None = None,
        group_of: Callable[[int], str] = lambda chip: f"g{chip}",
        frame: gpd.GeoDataFrame | None = None,
    ) -> ChipSet:
        index = chip_rows(len(scenes), group_of, split_of) if frame is None else frame
        if split_of is not None:
            index["mine_fraction"] = [float((labels == 1).mean()) for _, labels in scenes]

        def build(writer: Any) -> Outcome:
            path = writer.path("chips.zarr")
            store = ChipStore.create(path, product, bands, SIZE, len(scenes), labelled=split_of is not None)
            for chip, (pixels, labels) in enumerate(scenes):
                store.put(chip, pixels, labels)
            store.finish(len(scenes))
            writer.add("chips.zarr")
            write_geoparquet(index, writer.path("index.parquet"))
            writer.add("index.parquet")
            return Outcome()

        return open_chips(make_partition("chips", "chips", product, region, build=build))

    return make


def thirds(chip: int) -> str:
    """Half of the chips train, a quarter each validates and tests."""
    return ("train", "validation", "train", "test")[chip % 4]
