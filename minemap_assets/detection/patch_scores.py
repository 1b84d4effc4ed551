"""The scores of every patch of one region and year, tile by tile."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from shapely.geometry.base import BaseGeometry

from minemap_assets.detection.artefact import Classifier
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.patch_grid import STRIDE, Patches, patches_of, tile_named
from minemap_assets.detection.schemas import PATCH_SCORES
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.not_observed import NO_IMAGE, read_not_observed
from minemap_assets.imagery.products import product
from minemap_assets.imagery.reader import ImagerySet, SiteImage
from minemap_assets.lake.manifests import Missing, Outcome, digest
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import read_table, stack, write_table
from minemap_assets.project.listener import Progress, no_progress

if TYPE_CHECKING:
    from minemap_assets.detection.scoring import PatchScorer

CODE = "2"
"""Changes when the same classifier and pixels would give other rows."""

_STAGE = "scoring tile"


@dataclass
class _Made:
    tables: list[pd.DataFrame] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    reused: int = 0


def build_patch_scores(
    region: BaseGeometry,
    tiles: Sequence[str],
    images: ImagerySet,
    classifier: Classifier,
    config: DetectionConfig,
    writer: PartitionWriter,
    *,
    progress: Progress = no_progress,
) -> Outcome:
    """Write `<tile>.parquet` for every tile that was imaged, and the patches of all tiles as `patch_scores.parquet`.

    Patches of a tile without an image are there too, not observed. A tile that an interrupted run has scored under the
    same classifier and pixels is not scored again. Raises `BadInputError` where the classifier reads another product,
    or bands that were not fetched.
    """
    scorer = _TileScorer(images, classifier, config)
    contents = dict(zip(images.index["site_id"], images.index["sha256"], strict=True))
    reasons, made = read_not_observed(images.partition), _Made()
    for done, name in enumerate(tiles):
        progress(done, len(tiles), _STAGE)
        patches = patches_of(tile_named(name), region)
        if name not in contents:
            made.tables.append(_rows(patches, _Seen.nothing(len(patches.rows)), {}))
            made.missing.append(Missing(item=name, reason=reasons.get(name, NO_IMAGE), retry=False))
            continue
        file, key = f"{name}.parquet", digest([CODE, region.wkb_hex, contents[name], scorer.version])
        known = writer.reuse(file, key)
        if known is not None:
            made.reused += 1
            made.tables.append(read_table(known, PATCH_SCORES))
            continue
        made.tables.append(scorer.table(images.read(name), patches))
        write_table(made.tables[-1], PATCH_SCORES, writer.path(file))
        writer.add(file, content_key=key)
    progress(len(tiles), len(tiles), _STAGE)
    whole = stack(made.tables, PATCH_SCORES)
    writer.write(PATCH_SCORES.file, lambda path: write_table(whole, PATCH_SCORES, path))
    return Outcome(_summary(whole, len(tiles), made, classifier), made.missing)


class _TileScorer:
    """A classifier made ready for the first tile that needs it."""

    def __init__(self, images: ImagerySet, classifier: Classifier, config: DetectionConfig) -> None:
        card = classifier.card
        if images.product != card.product:
            raise BadInputError(
                f"the classifier reads {card.product} and the scan is of {images.product}; set [detection] product"
            )
        lacking = [band for band in card.bands if band not in images.bands]
        if lacking:
            raise BadInputError(
                f"the classifier reads {', '.join(lacking)}, which the scan did not fetch; set [detection] bands"
            )
        self._classifier, self._config = classifier, config
        self._places = [images.bands.index(band) for band in card.bands]
        self.version = [classifier.version, config.min_observed_share, config.min_observations, config.precision]

    @cached_property
    def _scorer(self) -> "PatchScorer":
        from minemap_assets.detection.networks.files import load_networks
        from minemap_assets.detection.scoring import PatchScorer

        networks = load_networks(self._classifier.folder)
        config, calibration = self._config, self._classifier.card.calibration
        return PatchScorer(networks, config.device, config.threads, calibration, config.precision)

    def table(self, image: SiteImage, patches: Patches) -> pd.DataFrame:
        """The rows of a tile."""
        from minemap_assets.detection.scoring import network_input

        rows, columns = patches.rows * STRIDE, patches.columns * STRIDE
        seen = _Seen.of(image, rows, columns, self._scorer.pixels)
        enough = seen.share >= self._config.min_observed_share
        enough &= seen.observations >= self._config.min_observations
        chosen = np.flatnonzero(enough)
        pixels = network_input(image.pixels[self._places], product(self._classifier.card.product))
        scores = self._scorer.scores(pixels, rows[chosen], columns[chosen])
        return _rows(patches, seen, dict(zip(chosen.tolist(), scores.astype(np.float64), strict=True)))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Share of pixels observed, and clear observations a pixel, of each patch (n)."""

    share: npt.NDArray[np.float64]
    observations: npt.NDArray[np.float64]

    @classmethod
    def nothing(cls, count: int) -> "_Seen":
        """Of patches without an image."""
        return cls(np.zeros(count), np.zeros(count))

    @classmethod
    def of(cls, image: SiteImage, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], side: int) -> "_Seen":
        """By patches whose north-western pixels are given."""
        return cls(_means(image.observed, rows, columns, side), _means(image.clear_count, rows, columns, side))


def _means(
    layer: npt.NDArray[Any], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], side: int
) -> npt.NDArray[np.float64]:
    """Mean of a layer (row, column) over squares, by its sums from the corner on."""
    sums = np.pad(layer.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    south, east = rows + side, columns + side
    total = sums[south, east] - sums[rows, east] - sums[south, columns] + sums[rows, columns]
    means: npt.NDArray[np.float64] = total / float(side * side)
    return means


def _rows(patches: Patches, seen: _Seen, scores: dict[int, npt.NDArray[np.float64]]) -> pd.DataFrame:
    """The table of a tile's patches; `scores` are those of the members by the patch's number."""
    numbers, none = range(len(patches.rows)), np.zeros(0)
    members = np.empty(len(numbers), object)
    members[:] = [scores.get(n, none) for n in numbers]
    return pd.DataFrame(
        {
            "patch_id": patches.ids,
            "tile": patches.tile.name,
            "row": patches.rows,
            "column": patches.columns,
            "longitude": patches.longitudes,
            "latitude": patches.latitudes,
            "observed_share": seen.share,
            "observations": seen.observations,
            "score": [float(scores[n].mean()) if n in scores else np.nan for n in numbers],
            "member_scores": members,
        }
    )


def _summary(table: pd.DataFrame, tiles: int, made: _Made, classifier: Classifier) -> dict[str, Any]:
    scored = table["score"].notna()
    return {
        "tiles": tiles,
        "tiles_without_an_image": len(made.missing),
        "tiles_kept_from_an_interrupted_run": made.reused,
        "patches": len(table),
        "patches_observed": int(scored.sum()),
        "patches_above_half": int((table["score"] > 0.5).sum()),
        "product": classifier.card.product,
        "classifier_version": classifier.version,
        "members": len(classifier.card.members),
    }
