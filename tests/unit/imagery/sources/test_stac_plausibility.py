"""What real pixels look like passes; what files hold that went wrong does not."""

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import zoom

from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.sources.stac.plausibility import implausible

Pixels = npt.NDArray[np.uint16]
Bands = Mapping[str, Pixels]

CITIES = ("beihai", "brasilia", "mumbai", "rio", "aguasclaras")
PAIR_BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
FINE = ("blue", "green", "red", "nir")


def stored(reflectance: npt.NDArray[np.floating], seen: npt.NDArray[np.bool_] | bool = True) -> Pixels:
    numbers = np.clip(np.rint(np.nan_to_num(reflectance) * 10_000), 1, 65_535)
    return np.where(np.isfinite(reflectance) & seen, numbers, 0).astype(np.uint16)


def cities(data: Path) -> Iterator[Bands]:
    """Level-1C, towns and open pits, each date on the grid of 10 m."""
    import rasterio
    from rasterio.enums import Resampling

    for city in CITIES:
        for folder in sorted((data / "oscd-sentinel2-l1c" / city).glob("imgs_*")):
            files = {SENTINEL2_BANDS[path.stem[-3:]]: path for path in sorted(folder.glob("*.tif"))}
            with rasterio.open(files["blue"]) as source:
                shape = source.shape
            found = {}
            for band in ("coastal", *PAIR_BANDS):
                with rasterio.open(files[band]) as source:
                    found[band] = source.read(1, out_shape=shape, resampling=Resampling.bilinear)
            yield found


def fields(data: Path) -> Iterator[Bands]:
    """Level-1C of one place, two scenes of it cloudy."""
    for scene in np.load(data / "eo-learn-s2-l1c" / "REFERENCE_SCENES.npy"):
        yield {band: stored(scene[..., n]) for n, band in enumerate(SENTINEL2_BANDS.values()) if band != "cirrus"}


def tailings(data: Path) -> Iterator[Bands]:
    import rasterio

    for path in sorted((data / "tailings-seg-s2-brazil" / "img_tiff").glob("*.tif")):
        with rasterio.open(path) as source:
            pixels = source.read()
        yield {band: stored(pixels[n]) for n, band in enumerate(("blue", "green", "red"))}


def patches(data: Path) -> list[Bands]:
    """Level-2A: mines, forest, towns and water of the Amazon, 48 x 48 pixels each."""
    packed = np.load(data / "sat-mining-detector-amazon-pairs" / "test.npz")
    arrays = [packed[name] for name in packed.files]
    return [
        {band: np.clip(array[..., n], 0, None).astype(np.uint16) for n, band in enumerate(PAIR_BANDS)}
        for array in arrays
        if array.any()
    ]


def quilts(data: Path) -> Iterator[Bands]:
    """25 patches together: sites of 5.8 square kilometres."""
    every = [patch for patch in patches(data) if patch["blue"].all()]
    for start in range(0, len(every) - 24, 25):
        some = every[start : start + 25]
        yield {b: np.block([[some[5 * row + col][b] for col in range(5)] for row in range(5)]) for b in PAIR_BANDS}


def leases(data: Path) -> Iterator[Bands]:
    """Level-2A of two coal mines in India, every date of a year, cloudy ones too."""
    from rasterio.io import MemoryFile

    for name in ("mine_0", "mine_1"):
        with zipfile.ZipFile(data / "aurora-india-s2-series" / f"{name}.zip") as archive:
            dates: defaultdict[str, dict[str, str]] = defaultdict(dict)
            for path in archive.namelist():
                for key in ("B02", "B04", "B08", "B11", "B12"):
                    if f"_{key}_" in path and path.split("/")[-1][:4] == "2020":
                        dates[path.split("/")[-1][:10]][SENTINEL2_BANDS[key]] = path
            for _, paths in sorted(dates.items()):
                found = {}
                for band, path in paths.items():
                    with MemoryFile(archive.read(path)) as memory, memory.open() as source:
                        if source.count == 2:
                            values, seen = source.read().astype(np.float64)
                            found[band] = stored(values / 65_535, seen > 0)
                yield found


@pytest.fixture(scope="module")
def towns(test_data: Path) -> list[Bands]:
    return list(cities(test_data))


@pytest.fixture(scope="module")
def sites(test_data: Path) -> list[Bands]:
    return list(quilts(test_data))


def test_nothing_real_is_rejected(test_data: Path, towns: list[Bands], sites: list[Bands]) -> None:
    air = [*towns, *fields(test_data), *tailings(test_data)]
    ground = [*sites, *patches(test_data), *leases(test_data)]
    assert (len(air), len(sites)) == (51, 9)
    assert len(ground) > 250
    assert {implausible(scene, surface=False) for scene in air} == {None}
    assert {implausible(scene) for scene in ground} == {None}


@pytest.mark.parametrize("side", [60, 200, 300])
def test_no_part_of_a_real_scene_is_rejected(towns: list[Bands], side: int) -> None:
    for town in towns:
        height, width = town["blue"].shape
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                part = {band: pixels[top : top + side, left : left + side] for band, pixels in town.items()}
                assert implausible(part, surface=False) is None


def made(rng: np.random.Generator, noise: float, size: int = 256, **level: float) -> dict[str, Pixels]:
    """Ground of one kind in Level-2A: reflectance by band, with fine noise and some relief."""
    y, x = np.mgrid[0:size, 0:size] / size
    relief = 1.0 + 0.15 * np.sin(9 * x) * np.cos(7 * y)
    return {band: stored(value * relief + rng.normal(0, noise, (size, size))) for band, value in level.items()}


CLEAR_SEA = {"blue": 0.03, "green": 0.012, "red": 0.002, "nir": -0.002, "swir16": -0.004, "swir22": -0.004}
KINDS = {
    "sea": (CLEAR_SEA, 0.002),
    "turbid pond": ({"blue": 0.1, "green": 0.16, "red": 0.17, "nir": 0.06, "swir16": 0.0, "swir22": -0.001}, 0.004),
    "desert": ({"blue": 0.13, "green": 0.22, "red": 0.34, "nir": 0.42, "swir16": 0.55, "swir22": 0.5}, 0.01),
    "pale pit": ({"blue": 0.12, "green": 0.15, "red": 0.18, "nir": 0.24, "swir16": 0.3, "swir22": 0.28}, 0.02),
    "snow": ({"blue": 0.98, "green": 0.99, "red": 0.97, "nir": 0.9, "swir16": 0.08, "swir22": 0.06}, 0.02),
    "burnt forest": ({"blue": 0.02, "green": 0.03, "red": 0.035, "nir": 0.07, "swir16": 0.15, "swir22": 0.14}, 0.006),
    "deep shadow": (
        {"blue": 0.008, "green": 0.006, "red": 0.004, "nir": 0.02, "swir16": 0.006, "swir22": 0.004},
        0.002,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_of_ground_pass(kind: str) -> None:
    levels, noise = KINDS[kind]
    scene = made(np.random.default_rng(3), noise, **levels)
    assert implausible(scene) is None
    assert implausible({band: scene[band] for band in FINE}) is None


def add(number: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.where(pixels > 0, np.clip(pixels.astype(np.int32) + number, 1, 65_535), 0).astype(
        np.uint16
    )


def blurred(pixels: Pixels, factor: int = 16) -> Pixels:
    height, width = (size // factor * factor for size in pixels.shape)
    means = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor).mean(axis=(1, 3))
    return np.rint(zoom(means, factor, order=1)).astype(np.uint16)


def streaked(pixels: Pixels) -> Pixels:
    found = pixels.copy()
    found[60:120] = found[60]
    return found


def everywhere(scene: Bands, change: Callable[[Pixels], Pixels]) -> Bands:
    return {band: change(pixels) for band, pixels in scene.items()}


WRONG: Mapping[str, tuple[Callable[[Pixels], Pixels], str]] = MappingProxyType(
    {
        "dark": (lambda pixels: (pixels // 1000 + (pixels > 0)).astype(np.uint16), "show no light"),
        "saturated": (lambda pixels: np.where(pixels > 0, 28_000, 0).astype(np.uint16), "brighter than snow"),
        "streaked": (streaked, "repeats one row 59 times"),
        "streaked aside": (lambda pixels: streaked(pixels.T).T, "repeats one column 59 times"),
        "blurred": (blurred, "nothing finer"),
    }
)


@pytest.mark.parametrize("wrong", WRONG)
def test_real_scenes_gone_wrong_are_left_out(towns: list[Bands], sites: list[Bands], wrong: str) -> None:
    change, reason = WRONG[wrong]
    found = [implausible(everywhere(scene, change)) or "" for scene in [*towns, *sites]]
    assert sum(reason in text for text in found) >= (len(found) if wrong != "blurred" else 0.9 * len(found))
    if wrong not in ("saturated", "blurred"):
        return
    one = [implausible({**scene, "red": change(scene["red"])}) or "" for scene in sites]
    assert sum("red" in text for text in one) >= len(one) - 1


def test_an_offset_taken_off_twice_or_not_at_all_is_noticed_over_dark_ground(sites: list[Bands]) -> None:
    """Where most of a site is forest or water; bright ground cannot tell 0.1 more from less."""
    forested = [site for site in sites if np.median(site["red"]) < 900]
    assert len(forested) >= 4
    twice = [implausible(everywhere(site, add(-1000))) or "" for site in forested]
    never = [implausible(everywhere(site, add(1000))) or "" for site in forested]
    assert all("an offset taken off twice" in text for text in twice)
    assert sum("an offset not taken off" in text for text in never) >= len(never) - 1


def test_one_visible_band_without_light_is_noticed(towns: list[Bands]) -> None:
    for town in towns:
        assert "green shows no light" in (implausible({**town, "green": np.ones_like(town["green"])}) or "")


def test_few_pixels_say_nothing(sites: list[Bands]) -> None:
    seen = np.zeros(sites[0]["blue"].shape, dtype=np.bool_)
    seen[:19, :20] = True
    few = {band: np.where(seen, pixels // 1000 + 1, 0).astype(np.uint16) for band, pixels in sites[0].items()}
    assert implausible(few) is None
    assert implausible({}) is None
