"""Sentinel-2 scenes made from known truth: COGs as the open catalogues hold them, and the STAC items that name them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.sources.stac.config import Collection

BLOCK = 128
SIZE = 640
EPSG = 32722
TILE = GeoBox((SIZE, SIZE), Affine(10.0, 0.0, 600_000.0, 0.0, -10.0, 9_300_040.0), f"EPSG:{EPSG}")
"""A small tile whose origin, like a real one's, is no multiple of its blocks."""

TILE_NAME = "22MDB"
ORBIT = 124
"""The relative orbit that sees this ground (recorded of 22MHD, 700 km up the same track)."""

COARSE = ("swir16", "swir22")
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")

_WRITTEN: dict[str, bytes] = {}
"""Files made before, by what is in them: many tests show the same ground."""

Numbers = npt.NDArray[np.uint16]


def truth(seed: int = 0) -> dict[str, Numbers]:
    """Reflectance x 10,000 by band: smooth ground with texture, and a dark lake; 20 m bands are constant in 2 x 2."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    made = {}
    for number, band in enumerate(BANDS):
        ground = 1500 + 250 * number + 400 * np.sin(7 * x + number) * np.cos(5 * y) + chance.normal(0, 60, (SIZE, SIZE))
        ground[100:200, 300:420] = 40 + 10 * number + chance.integers(0, 20, (100, 120))
        if band in COARSE:
            ground = np.kron(ground[::2, ::2], np.ones((2, 2)))
        made[band] = np.rint(ground).astype(np.uint16)
    return made


@dataclass(frozen=True)
class Shot:
    """One scene. Its numbers are the truth plus `drift`, plus 1000 where it is `shifted`; `clouds` are windows (rows,
    columns) of its 10 m pixels, `missing` windows without data; `flag` is what the item says of the offset.
    """

    day: str
    baseline: str = "05.10"
    shifted: bool = True
    drift: int = 0
    clouds: tuple[tuple[slice, slice], ...] = ()
    missing: tuple[tuple[slice, slice], ...] = ()
    cloud_cover: float = 10.0
    flag: bool | None = None
    suffix: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of the item."""
        return f"S2A_{self.day.replace('-', '')}_N{self.baseline.replace('.', '')}{self.suffix}"


def write_cog(path: Path, pixels: npt.NDArray[Any], grid: GeoBox) -> None:
    """One band as a COG with small blocks and overviews."""
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    path.parent.mkdir(parents=True, exist_ok=True)
    key = sha256(pixels.tobytes() + repr((pixels.dtype, grid)).encode()).hexdigest()
    if key in _WRITTEN:
        path.write_bytes(_WRITTEN[key])
        return
    height, width = pixels.shape
    profile = {"driver": "GTiff", "count": 1, "height": height, "width": width, "dtype": pixels.dtype.name, "nodata": 0}
    with rasterio.Env(GDAL_NUM_THREADS="1"), MemoryFile() as memory:
        with memory.open(**profile, crs=str(grid.crs), transform=grid.affine) as target:
            target.write(pixels, 1)
        with memory.open() as source:
            copy(source, path, driver="COG", compress="DEFLATE", predictor="YES", blocksize=BLOCK, overviews="AUTO")
    _WRITTEN[key] = path.read_bytes()


def write_scene(
    root: Path, url: str, collection: Collection, shot: Shot, ground: Mapping[str, Numbers]
) -> dict[str, Any]:
    """Write a scene's COGs below `root` and return its item, whose assets lie below `url`."""
    folder = f"{collection.name}/{shot.id}"
    seen = np.ones((SIZE, SIZE), dtype=np.bool_)
    classes = np.full((SIZE, SIZE), 5, dtype=np.uint8)
    for window in shot.clouds:
        classes[window] = 9
    for window in shot.missing:
        seen[window] = False
        classes[window] = 0
    assets = {}
    for band, key in collection.assets.bands.items():
        if band not in ground:
            continue
        numbers = ground[band].astype(np.int64) + shot.drift
        for window in shot.clouds:
            numbers[window] = 9000
        stored = np.where(seen, np.clip(numbers + 1000 * shot.shifted, 1, 65535), 0).astype(np.uint16)
        assets[key] = _asset(root, url, f"{folder}/{key}.tif", stored, 2 if band in COARSE else 1)
    assets[collection.assets.classes] = _asset(root, url, f"{folder}/{collection.assets.classes}.tif", classes, 2)
    return item_of(collection, shot, assets)


def item_of(collection: Collection, shot: Shot, assets: Mapping[str, Any]) -> dict[str, Any]:
    """A scene's item in its catalogue's words: `recorded/stac` holds items of each."""
    day = shot.day.replace("-", "")
    processing = f"N{shot.baseline.replace('.', '')}"
    properties: dict[str, Any] = {
        "eo:cloud_cover": shot.cloud_cover,
        "s2:processing_baseline": shot.baseline,
        "s2:product_uri": f"S2A_MSIL2A_{day}T133839_{processing}_R{ORBIT:03d}_T{TILE_NAME}_{day}T174059.SAFE",
        "s2:datatake_id": f"GS2A_{day}T133839_034041_N{shot.baseline}",
        "s2:datastrip_id": f"S2A_OPER_MSI_L2A_DS_2APS_{day}T174059_S{day}T133836_N{shot.baseline}",
        "s2:generation_time": f"{shot.day}T17:40:59.000000Z",
        "proj:code": f"EPSG:{EPSG}",
    }
    if collection.name.startswith("planetary-computer"):
        properties |= {
            "datetime": f"{shot.day}T13:38:39.024000Z",
            "platform": "Sentinel-2A",
            "s2:mgrs_tile": TILE_NAME,
            "sat:relative_orbit": ORBIT,
        }
    else:
        properties |= {
            "datetime": f"{shot.day}T13:42:47.536000Z",
            "platform": "sentinel-2a",
            "grid:code": f"MGRS-{TILE_NAME}",
            "updated": f"{shot.day}T23:04:12.344Z",
        }
    properties |= shot.properties
    if shot.flag is not None:
        properties["earthsearch:boa_offset_applied"] = shot.flag
    outline = footprint_wgs84(TILE)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": shot.id,
        "collection": collection.collection,
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "properties": properties,
        "assets": dict(assets),
        "links": [],
    }


def write_catalogue(folder: Path, collection: Collection, items: Sequence[Mapping[str, Any]]) -> list[Path]:
    """A collection and its items as files that `rustac serve` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "type": "Collection",
        "id": collection.collection,
        "stac_version": "1.0.0",
        "description": "made for a test",
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2015-06-27T00:00:00Z", None]]},
        },
        "links": [],
    }
    name = collection.name.replace("/", "-")
    paths = [folder / f"{name}.json", folder / f"{name}-items.json"]
    paths[0].write_text(json.dumps(about))
    paths[1].write_text(json.dumps({"type": "FeatureCollection", "features": list(items)}))
    return paths


def _asset(root: Path, url: str, name: str, pixels: npt.NDArray[Any], step: int) -> dict[str, Any]:
    grid = GeoBox((SIZE // step, SIZE // step), TILE.affine @ Affine.scale(step), TILE.crs)
    write_cog(root / name, pixels[::step, ::step], grid)
    return {"href": f"{url}/{name}", "type": "image/tiff; application=geotiff; profile=cloud-optimized"}
