"""Masks: the calibrated probability of every pixel of every site, as files that people open."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.geo.raster import read_raster, write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.manifests import Missing, Outcome, digest
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.artefact import Model, load_model
from minemap_assets.segmentation.blending import ChipProbability, blend
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.preview import probability_strip
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP, is_mine
from minemap_assets.sites.windows import Site, iter_sites

if TYPE_CHECKING:
    from minemap_assets.segmentation.prediction import Predictor

MASK_CODE = "1"
"""Changes when the same model and chips would give other pixels."""

INDEX = "index.parquet"
PREVIEW = "preview.png"
BAND = "probability"


@dataclass
class _Made:
    rows: list[dict[str, Any]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    pictures: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    reused: int = 0


def build_masks(
    sites: gpd.GeoDataFrame,
    chips: ChipSet,
    model_partition: Partition,
    config: SegmentationConfig,
    writer: PartitionWriter,
    *,
    progress: Progress = no_progress,
) -> Outcome:
    """Write `<site_id>.tif` (uint8 probability 0..254, 255 = not observed), `index.parquet` and `preview.png`.

    A site whose chips and model are those of an interrupted run is not computed again. Sites without chips are
    reported missing. Raises `BadInputError` where the model does not know the product or the bands.
    """
    model = load_model(model_partition)
    threshold = model.threshold(chips.product, config.operating_point) if len(chips) else 0.5
    maker = _Maker(chips, model, config)
    made = _Made()
    every = list(iter_sites(sites))
    for done, site in enumerate(every):
        if len(chips.of_site(site.site_id)) == 0:
            made.missing.append(Missing(item=site.site_id, reason="no pixel of this site was observed", retry=False))
        else:
            _one_site(site, maker, writer, threshold, made)
        progress(done + 1, len(every), "predicting site")
    writer.write(INDEX, lambda path: write_geoparquet(_frame(made.rows), path))
    writer.write(PREVIEW, lambda path: path.write_bytes(probability_strip(made.pictures)))
    return Outcome(_summary(made, len(every), chips.product, threshold, model), made.missing)


class _Maker:
    """Predicts sites; the network is loaded only when the first one needs it."""

    def __init__(self, chips: ChipSet, model: Model, config: SegmentationConfig) -> None:
        self.chips = chips
        self.model = model
        self.config = config
        self._predictor: Predictor | None = None

    def item(self, site: Site) -> str:
        """Fingerprint of a site's mask."""
        columns = to_columns(site.grid)
        place = [columns.crs, list(columns.transform), columns.width, columns.height]
        content = self.chips.site_content(site.site_id)
        return digest([MASK_CODE, place, self.chips.product, content, self.model.version])

    def predict(self, site: Site) -> npt.NDArray[np.uint8]:
        """Blended stored probability (row, column) of a site."""
        height, width = site.grid.shape
        return blend(int(height), int(width), self._chips_of(site))

    def _chips_of(self, site: Site) -> Iterator[ChipProbability]:
        if self._predictor is None:
            from minemap_assets.segmentation.prediction import Predictor

            self._predictor = Predictor(self.model, self.config)
        rows = self.chips.of_site(site.site_id)
        # The predictor reads ahead by a batch: what it was given is kept until its answer comes.
        waiting: list[npt.NDArray[np.bool_]] = []

        def pixels() -> Iterator[npt.NDArray[np.uint16]]:
            for chip in rows["chip"]:
                image = self.chips.pixels(int(chip))
                waiting.append(image[0] > 0)
                yield image

        found = self._predictor.probabilities(self.chips.product, self.chips.bands, pixels())
        for row, column, probability in zip(rows["row"], rows["column"], found, strict=True):
            yield ChipProbability(int(row), int(column), probability, waiting.pop(0))


def _one_site(site: Site, maker: _Maker, writer: PartitionWriter, threshold: float, made: _Made) -> None:
    name = f"{site.site_id}.tif"
    item = maker.item(site)
    known: Path | None = writer.reuse(name, item)
    if known is not None:
        stored = read_raster(known).pixels[0]
        made.reused += 1
    else:
        stored = maker.predict(site)
        facts = {"product": maker.chips.product, "model_version": maker.model.version, "scale": TOP}
        write_cog(writer.path(name), stored[None], site.grid, (BAND,), nodata=NOT_OBSERVED, facts=facts)
        writer.add(name, content_key=item)
    observed = int(np.count_nonzero(stored != NOT_OBSERVED))
    mine = int(np.count_nonzero(is_mine(stored, threshold)))
    point = maker.config.operating_point
    made.rows.append(
        {
            "site_id": site.site_id,
            "file": name,
            "product": maker.chips.product,
            "observed_fraction": observed / stored.size,
            "threshold": threshold,
            "operating_point": point if isinstance(point, str) else "own",
            "mine_fraction": mine / observed if observed else 0.0,
            "model_version": maker.model.version,
            "geometry": footprint_wgs84(site.grid),
        }
    )
    if len(made.pictures) < maker.config.preview_sites:
        made.pictures.append(stored)


def _frame(rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    kinds = {
        "site_id": "str",
        "file": "str",
        "product": "str",
        "observed_fraction": "float64",
        "threshold": "float64",
        "operating_point": "str",
        "mine_fraction": "float64",
        "model_version": "str",
    }
    frame = gpd.GeoDataFrame(rows, columns=[*kinds, "geometry"], geometry="geometry", crs=WGS84)
    return frame.astype(kinds).sort_values("site_id", ignore_index=True)


def _summary(made: _Made, sites: int, product: str, threshold: float, model: Model) -> dict[str, Any]:
    return {
        "sites": sites,
        "masks": len(made.rows),
        "masks_kept_from_an_interrupted_run": made.reused,
        "sites_without_pixels": len(made.missing),
        "product": product,
        "threshold": threshold,
        "model_version": model.version,
    }
