"""Masks: the calibrated probability of every pixel of every site, as files that people open."""

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipPlace, ChipSet
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.geo.raster import read_raster, write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.imagery.not_observed import write_not_observed
from minemap_assets.lake.manifests import Missing, Outcome, digest
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.artefact import Model, load_model
from minemap_assets.segmentation.blending import ChipProbability, blend
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.preview import probability_strip
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP, is_mine
from minemap_assets.segmentation.working_ahead import ahead
from minemap_assets.sites.windows import Site, iter_sites

MASK_CODE = "2"
"""Changes when the same model and chips would give other pixels."""

INDEX = "index.parquet"
PREVIEW = "preview.png"
BAND = "probability"
NOT_SEEN = "no pixel of this site was observed"

Stored = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Task:
    """A site to be predicted: its chips, and the fingerprint of its mask."""

    site: Site
    places: tuple[ChipPlace, ...]
    item: str


@dataclass
class _Made:
    pictured: frozenset[str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    pictures: dict[str, Stored] = field(default_factory=dict)
    reused: int = 0

    @property
    def sites(self) -> int:
        """How many sites are done with."""
        return len(self.rows) + len(self.missing)


def build_masks(
    sites: gpd.GeoDataFrame,
    chips: ChipSet,
    model_partition: Partition,
    config: SegmentationConfig,
    writer: PartitionWriter,
    *,
    progress: Progress = no_progress,
    tell: Callable[[str], None] = warnings.warn,
) -> Outcome:
    """Write `<site_id>.tif` (uint8 probability 0..254, 255 = not observed), `index.parquet` and `preview.png`.

    A site whose chips and model are those of an interrupted run is not computed again. The others' chips are one stream
    through the network, and a site is published as soon as its last chip came out: what is lost with the process is the
    site that is written and the batch that is predicted meanwhile. Sites without chips are reported missing, with the
    reason that the imagery gives, also in `not_observed.parquet`. `tell` hears what a person should know. Raises
    `BadInputError` where the model does not know the product or the bands.
    """
    model = load_model(model_partition)
    threshold = model.threshold(chips.product, config.operating_point) if len(chips) else 0.5
    every = list(iter_sites(sites))
    seen = [site.site_id for site in every if chips.places(site.site_id)]
    made = _Made(frozenset(seen[: config.preview_sites]))
    maker = _Maker(chips, model, config, writer, threshold, made)
    tasks = [task for site in every if (task := maker.task(site)) is not None]
    progress(made.sites, len(every), "predicting site")
    with closing(maker.predicted(tasks, tell)) as found:
        for task in tasks:
            height, width = task.site.grid.shape
            maker.publish(task, blend(int(height), int(width), islice(found, len(task.places))))
            progress(made.sites, len(every), "predicting site")
    pictures = [made.pictures[site_id] for site_id in seen if site_id in made.pictured]
    writer.write(INDEX, lambda path: write_geoparquet(_frame(made.rows), path))
    writer.write(PREVIEW, lambda path: path.write_bytes(probability_strip(pictures)))
    write_not_observed({missing.item: missing.reason for missing in made.missing}, writer)
    return Outcome(_summary(made, len(every), chips.product, threshold, model), made.missing)


@dataclass(frozen=True)
class _Maker:
    """Makes the masks of one partition, and keeps the account of them."""

    chips: ChipSet
    model: Model
    config: SegmentationConfig
    writer: PartitionWriter
    threshold: float
    made: _Made

    def task(self, site: Site) -> _Task | None:
        """What is to be predicted of a site; None where it has no chips, or has its mask from an earlier run."""
        places = self.chips.places(site.site_id)
        if not places:
            reason = self.chips.not_observed.get(site.site_id, NOT_SEEN)
            self.made.missing.append(Missing(item=site.site_id, reason=reason, retry=False))
            return None
        task = _Task(site, places, self._item(site))
        known = self.writer.reuse(_file(site), task.item)
        if known is None:
            return task
        self.made.reused += 1
        self._note(site, read_raster(known).pixels[0])
        return None

    def _item(self, site: Site) -> str:
        """Fingerprint of a site's mask."""
        columns = to_columns(site.grid)
        place = [columns.crs, list(columns.transform), columns.width, columns.height]
        content = self.chips.site_content(site.site_id)
        return digest([MASK_CODE, place, self.chips.product, content, self.model.version, self.config.precision])

    def predicted(self, tasks: Sequence[_Task], tell: Callable[[str], None]) -> Generator[ChipProbability, None, None]:
        """The chips of all tasks, in order: they are read, predicted and used by three threads at the same time.

        The network is loaded only when the first one needs it.
        """
        if not tasks:
            return
        from minemap_assets.segmentation.prediction import Predictor

        places = [place for task in tasks for place in task.places]
        # What was given to the predictor is kept until its answer comes.
        observed: deque[npt.NDArray[np.bool_]] = deque()

        def pixels() -> Iterator[npt.NDArray[np.uint16]]:
            for place in places:
                image = self.chips.pixels(place.chip)
                observed.append(image[0] > 0)
                yield image

        predictor = Predictor(self.model, self.config, tell)
        found = predictor.probabilities(self.chips.product, self.chips.bands, pixels(), len(places))
        with closing(ahead(found)) as probabilities:
            for place, probability in zip(places, probabilities, strict=True):
                yield ChipProbability(place.row, place.column, probability, observed.popleft())

    def publish(self, task: _Task, stored: Stored) -> None:
        """Write a site's mask, which readers of the next run find even if this one ends here."""
        name = _file(task.site)
        facts = {"product": self.chips.product, "model_version": self.model.version, "scale": TOP}
        path = self.writer.path(name)
        write_cog(path, stored[None], task.site.grid, (BAND,), nodata=NOT_OBSERVED, facts=facts)
        self.writer.add(name, content_key=task.item)
        self._note(task.site, stored)

    def _note(self, site: Site, stored: Stored) -> None:
        observed = int(np.count_nonzero(stored != NOT_OBSERVED))
        mine = int(np.count_nonzero(is_mine(stored, self.threshold)))
        point = self.config.operating_point
        self.made.rows.append(
            {
                "site_id": site.site_id,
                "file": _file(site),
                "product": self.chips.product,
                "observed_fraction": observed / stored.size,
                "threshold": self.threshold,
                "operating_point": point if isinstance(point, str) else "own",
                "mine_fraction": mine / observed if observed else 0.0,
                "model_version": self.model.version,
                "geometry": footprint_wgs84(site.grid),
            }
        )
        if site.site_id in self.made.pictured:
            self.made.pictures[site.site_id] = stored


def _file(site: Site) -> str:
    return f"{site.site_id}.tif"


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
