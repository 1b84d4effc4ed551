"""What hides a pixel: files of a collection (scene classes, cloud probability), or an installed model.

Level-2A comes with a scene classification, in some collections with the cloud probability that it was made from, too.
Level-1C comes with neither that every baseline has; its clouds are found by s2cloudless, which was trained on the
reflectance at the top of the atmosphere, so that it is of no use for Level-2A.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.cloud_rules import CloudRule
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.sources.stac.config import LEVEL_1C, PRODUCT, Collection, StacConfig

ALWAYS = (0, 1)
"""Scene classes that show nothing: no data, and saturated or defective."""

CLOUD = (8, 9)
"""Scene classes that stand for a cloud probability: medium and high. Thin cirrus (10) is told by another band."""

MODEL = "s2cloudless"
INSTALL = "pip install 'minemap[clouds]'"

_MODEL_FILE = "models/pixel_s2_cloud_detector_lightGBM_v0.1.txt"
_MODEL_BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Those that the model was trained on, in its order (s2cloudless 1.7.3, MODEL_BAND_IDS)."""

_NOTHING = 1e-9
"""A share below this is the rounding of none."""

Reflectance = npt.NDArray[np.float32]
Predict = Callable[[Reflectance], npt.NDArray[np.floating]]
"""Cloud probability, 0 to 1, of pixels (pixel, band)."""


@dataclass(frozen=True)
class MaskFile:
    """A file of every scene of a collection: its asset key, and which of its numbers hide a pixel.

    Numbers count as they are stored, whatever the file's nodata tag says: a cloud probability of 0 is clear ground.
    """

    key: str
    rule: CloudRule


@dataclass(frozen=True)
class ModelMask:
    """A model that tells cloud from ground by reflectance.

    `bands` are common names in the order that it wants. Pixels are brought to about `working_m` metres; the probability
    of a place is the mean within `smoothing_m`, cloud is where it is above `threshold`, and `growth_m` around that
    (recommended by s2cloudless: 22 and 11 pixels of 10 m, or 4 and 2 pixels of 60 m).
    """

    name: str
    bands: tuple[str, ...]
    predict: Predict = field(repr=False, compare=False)
    threshold: float = 0.4
    working_m: float = 60.0
    smoothing_m: float = 220.0
    growth_m: float = 110.0

    @property
    def margin_m(self) -> float:
        """Metres around a place that have a say in whether it is hidden."""
        return self.smoothing_m + self.growth_m

    @property
    def words(self) -> str:
        """How provenance calls it."""
        return f"{self.name}, hides a probability above {self.threshold:g}"

    def hides(self, pixels: Reflectance, resolution_m: float) -> npt.NDArray[np.bool_]:
        """True (row, column) where cloud or a missing number hides a pixel.

        `pixels` is reflectance (band, row, column), NaN where missing, of `resolution_m` metres a pixel.
        """
        count, rows, columns = pixels.shape
        if count != len(self.bands):
            raise ValueError(f"{self.name} takes {len(self.bands)} bands, not {count}")
        missing = ~np.isfinite(pixels).all(axis=0)
        step = max(1, round(self.working_m / resolution_m))
        coarse = _coarser(np.where(missing, np.float32(np.nan), pixels), step)
        cloudy = self._cloudy(coarse, step * resolution_m)
        return np.asarray(np.kron(cloudy, np.ones((step, step), dtype=np.bool_))[:rows, :columns] | missing)

    def _cloudy(self, pixels: Reflectance, resolution_m: float) -> npt.NDArray[np.bool_]:
        from scipy import ndimage

        seen = np.isfinite(pixels).all(axis=0)
        probability = np.zeros(seen.shape)
        if seen.any():
            probability[seen] = self.predict(np.ascontiguousarray(pixels[:, seen].T))
        disc = _disc(self.smoothing_m / resolution_m)
        weight = ndimage.convolve(seen.astype(np.float64), disc, mode="reflect")
        total = ndimage.convolve(probability, disc, mode="reflect")
        mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > _NOTHING)
        return np.asarray(ndimage.binary_dilation(mean > self.threshold, _disc(self.growth_m / resolution_m) > 0))


def masks_of(collection: Collection, config: StacConfig) -> tuple[MaskFile, ...]:
    """The files that hide pixels in scenes of a collection; a pixel that any of them hides is hidden.

    None where a model decides (`model_mask`).
    """
    assets = collection.assets
    if not assets.classes:
        return ()
    by_probability = _by_probability(collection, config)
    hidden = sorted({*ALWAYS, *config.masked_classes} - (set(CLOUD) if by_probability else set()))
    masks = [MaskFile(assets.classes, _rule(assets.classes, "=", hidden))]
    if by_probability:
        masks.append(MaskFile(assets.probability, _rule(assets.probability, ">=", (config.cloud_probability,))))
    return tuple(masks)


def mask_words(collection: Collection, config: StacConfig) -> str:
    """What decides which pixels of a collection's scenes are cloud, for provenance. Raises as `s2cloudless` does."""
    if not collection.assets.classes:
        return s2cloudless().words
    classes = f"scene classification, hides {', '.join(f'{n:g}' for n in masks_of(collection, config)[0].rule.numbers)}"
    if _by_probability(collection, config):
        return f"cloud probability of at least {config.cloud_probability:g} %; {classes}"
    note = mask_note(collection, config)
    return f"{classes} ({note})" if note else classes


def mask_note(collection: Collection, config: StacConfig) -> str:
    """One sentence where a collection cannot be masked as the settings say, empty where it can."""
    if config.cloud_mask != "probability" or not collection.assets.classes or collection.assets.probability:
        return ""
    return f"{collection.name} tells no cloud probability, so its scene classes decide"


def model_mask(config: StacConfig, product: str) -> ModelMask | None:
    """The model that masks a product's scenes; None where files do.

    Raises `BadInputError` where the settings ask for a model of another product, or where it is not installed.
    """
    if any(not collection.assets.classes for collection in config.collections_for(product)):
        return s2cloudless()
    if config.cloud_mask == MODEL and product == PRODUCT:
        raise BadInputError(
            f"[sources.stac] cloud_mask: {MODEL} reads Level-1C only, which it masks by itself; choose classes or "
            f"probability for {PRODUCT}"
        )
    return None


@cache
def s2cloudless() -> ModelMask:
    """The published model of the package s2cloudless (weights CC BY-SA 4.0, Sinergise). Raises `BadInputError`."""
    found = find_spec(MODEL)
    if found is None or not found.submodule_search_locations or find_spec("lightgbm") is None:
        raise BadInputError(
            f"{LEVEL_1C} from stac needs the cloud mask {MODEL}, which is not installed; run {INSTALL}, or name "
            f"another source under [imagery.sources] {LEVEL_1C}"
        )
    weights = Path(found.submodule_search_locations[0]) / _MODEL_FILE
    try:
        # the package itself would bring a client of another service and OpenCV
        from lightgbm import Booster

        model = Booster(model_str=weights.read_text())
    except (ImportError, OSError) as error:  # where the system lacks OpenMP, libgomp1 on Debian, loading fails so
        raise BadInputError(f"the cloud mask {MODEL} cannot be loaded ({error}); install what is missing") from error

    def predict(pixels: Reflectance) -> npt.NDArray[np.floating]:
        return np.asarray(model.predict(pixels, num_threads=1))

    return ModelMask(f"{MODEL} {version(MODEL)}", tuple(SENTINEL2_BANDS[band] for band in _MODEL_BANDS), predict)


def _by_probability(collection: Collection, config: StacConfig) -> bool:
    return config.cloud_mask == "probability" and bool(collection.assets.probability)


def _rule(key: str, sign: str, numbers: Sequence[float]) -> CloudRule:
    text = f"{key}{sign}{','.join(f'{number:g}' for number in numbers)}"
    return CloudRule(text, key, sign, tuple(float(number) for number in numbers))


def _coarser(pixels: Reflectance, step: int) -> Reflectance:
    """Means of squares of `step` pixels over those that are there, NaN where none is; the last ones may be cut off."""
    if step == 1:
        return pixels
    count, rows, columns = pixels.shape
    wanted = math.ceil(rows / step), math.ceil(columns / step)
    whole = np.full((count, wanted[0] * step, wanted[1] * step), np.nan, dtype=np.float32)
    whole[:, :rows, :columns] = pixels
    squares = whole.reshape(count, wanted[0], step, wanted[1], step)
    there = np.isfinite(squares)
    total = np.where(there, squares, np.float32(0.0)).sum(axis=(2, 4), dtype=np.float64)
    number = there.sum(axis=(2, 4))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(np.float32)


def _disc(radius: float) -> npt.NDArray[np.float64]:
    """A disc of so many pixels, at least the pixel itself, with the sum 1."""
    reach = max(0, round(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x * x + y * y <= reach * reach).astype(np.float64)
    return np.asarray(disc / disc.sum())
