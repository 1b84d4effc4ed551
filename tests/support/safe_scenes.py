"""Sentinel-2 products as their makers hand them out, from real metadata and real numbers, and the same as GeoTIFF."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile

RECORDED = Path(__file__).parent / "recorded" / "sentinel2"
EPSG = 32649
CORNER = (400_020.0, 2_390_040.0)
"""Upper left corner of the tiles: beihai lies near there."""

SIDE = 120
"""Pixels of 10 m along a side of the tiles; those of 20 and 60 m cover the same ground."""

SIZES = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}
"""Metres of a pixel of each band as it was taken."""

Numbers = Mapping[str, npt.NDArray[Any]]
"""Raw numbers (row, column) of the bands, by the mission's names."""


@dataclass(frozen=True)
class Form:
    """How a product names its files: the recorded metadata and its name, the folders, and what bands begin with."""

    recorded: str
    metadata: str
    folder: str
    granule: str
    stem: str
    mask: str
    product: str
    day: str
    baseline: str
    by_size: bool

    def band(self, name: str, size: int) -> str:
        """Path of a band's image within the product."""
        where = f"GRANULE/{self.granule}/IMG_DATA"
        return f"{where}/R{size}m/{self.stem}_{name}_{size}m.jp2" if self.by_size else f"{where}/{self.stem}_{name}.jp2"

    @property
    def masked(self) -> str:
        """Path of the cloud mask within the product."""
        return f"GRANULE/{self.granule}/{self.mask}"


LEVEL_2A = Form(
    recorded="l2a_0509.xml",
    metadata="MTD_MSIL2A.xml",
    folder="S2B_MSIL2A_20230823T095559_N0509_R122_T34UCF_20230823T124759.SAFE",
    granule="L2A_T34UCF_A033753_20230823T095553",
    stem="T34UCF_20230823T095559",
    mask="IMG_DATA/R20m/T34UCF_20230823T095559_SCL_20m.jp2",
    product="sentinel-2-l2a",
    day="2023-08-23",
    baseline="05.09",
    by_size=True,
)
LEVEL_1C = Form(
    recorded="l1c_0509.xml",
    metadata="MTD_MSIL1C.xml",
    folder="S2B_MSIL1C_20230823T095559_N0509_R122_T34UCF_20230823T120234.SAFE",
    granule="L1C_T34UCF_A033753_20230823T095553",
    stem="T34UCF_20230823T095559",
    mask="QI_DATA/MSK_CLASSI_B00.jp2",
    product="sentinel-2-l1c",
    day="2023-08-23",
    baseline="05.09",
    by_size=False,
)
EARLIER_2A = Form(
    recorded="l2a_0208.xml",
    metadata="MTD_MSIL2A.xml",
    folder="S2A_MSIL2A_20180818T094031_N0208_R036_T34VFJ_20180818T120345.SAFE",
    granule="L2A_T34VFJ_A016478_20180818T094030",
    stem="T34VFJ_20180818T094031",
    mask="IMG_DATA/R20m/T34VFJ_20180818T094031_SCL_20m.jp2",
    product="sentinel-2-l2a",
    day="2018-08-18",
    baseline="02.08",
    by_size=True,
)
EARLIER_1C = Form(
    recorded="l1c_0204.xml",
    metadata="MTD_MSIL1C.xml",
    folder="S2A_MSIL1C_20170226T102021_N0204_R065_T32TNM_20170226T102458.SAFE",
    granule="L1C_T32TNM_A008785_20170226T102458",
    stem="T32TNM_20170226T102021",
    mask="QI_DATA/MSK_CLOUDS_B00.gml",
    product="sentinel-2-l1c",
    day="2017-02-26",
    baseline="02.04",
    by_size=False,
)
OLD_TILE = "S2A_OPER_MSI_L1C_TL_SGS__20160905T073438_A006291_T53HLA_N02.04"
OLD_1C = Form(
    recorded="l1c_old.xml",
    metadata="S2A_OPER_MTD_SAFL1C_PDMC_20160905T104813_R002_V20160905T005712_20160905T010424.xml",
    folder="S2A_OPER_PRD_MSIL1C_PDMC_20160905T104813_R002_V20160905T005712_20160905T010424.SAFE",
    granule=OLD_TILE,
    stem=OLD_TILE.removesuffix("_N02.04"),
    mask="QI_DATA/S2A_OPER_MSK_CLOUDS_SGS__20160905T073438_A006291_T53HLA_B00_MSIL1C.gml",
    product="sentinel-2-l1c",
    day="2016-09-05",
    baseline="02.04",
    by_size=False,
)


def real_numbers(data: Path, shift: int = 0) -> Numbers:
    """Level-1C of beihai as it was published: a square of the same ground of every band, moved by so many numbers, with
    a slanted edge beyond which nothing was seen.
    """
    numbers = {}
    for path in sorted((data / "oscd-sentinel2-l1c" / "beihai" / "imgs_1").glob("*.tif")):
        name = path.stem[-3:]
        side = SIDE * 10 // SIZES[name]
        with rasterio.open(path) as source:
            pixels = source.read(1, window=((side, 2 * side), (side, 2 * side))).astype(np.uint16)
        # bands of one overpass end some pixels apart
        edge = 0.12 + 0.01 * int(name[1:3].replace("8A", "08"), 16) / 16
        rows, columns = np.mgrid[:side, :side] / side
        numbers[name] = np.where(columns > edge + 0.1 * rows, pixels + shift, 0).astype(np.uint16)
    return numbers


def ground(size: int, side: int | None = None, epsg: int = EPSG, corner: tuple[float, float] = CORNER) -> GeoBox:
    """The ground of a tile in pixels of so many metres."""
    pixels = SIDE * 10 // size if side is None else side
    return GeoBox((pixels, pixels), Affine(size, 0, corner[0], 0, -size, corner[1]), f"EPSG:{epsg}")


def write_safe(
    root: Path, form: Form, numbers: Numbers, mask: npt.NDArray[Any] | bytes, *, where: GeoBox | None = None
) -> Path:
    """Write a product folder with its real metadata.

    `mask` is the mask file's bytes, or its pixels (band, row, column) in squares of 20 or 60 m; `where` is the ground
    in pixels of 10 m.
    """
    folder = root / form.folder
    folder.mkdir(parents=True)
    (folder / form.metadata).write_bytes((RECORDED / form.recorded).read_bytes())
    tile = ground(10) if where is None else where
    for name, pixels in numbers.items():
        grid = tile.zoom_to(pixels.shape)
        size = round(grid.resolution.x)
        write_jp2(folder / form.band(name, size), pixels[np.newaxis], grid)
    target = folder / form.masked
    if isinstance(mask, bytes):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mask)
    else:
        write_jp2(target, mask, tile.zoom_to(mask.shape[1:]))
    return folder


def write_jp2(path: Path, pixels: npt.NDArray[Any], grid: GeoBox, **options: Any) -> Path:
    """Write (band, row, column) as JPEG 2000 without any loss, in tiles, and without a tag for missing pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with MemoryFile(_tif(pixels, grid)) as memory, memory.open() as source:
        lossless = {"QUALITY": 100, "REVERSIBLE": "YES", "BLOCKXSIZE": 64, "BLOCKYSIZE": 64, "RESOLUTIONS": 2}
        rasterio.shutil.copy(source, path, driver="JP2OpenJPEG", **(lossless | options))
    return path


def write_tif(path: Path, pixels: npt.NDArray[Any], grid: GeoBox) -> Path:
    """Write (band, row, column) as GeoTIFF, without a tag for missing pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_tif(pixels, grid))
    return path


def _tif(pixels: npt.NDArray[Any], grid: GeoBox) -> bytes:
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=str(grid.crs), transform=grid.affine) as target:
            target.write(pixels)
        return bytes(memory.read())


def packed(folder: Path, target: Path, compression: int = ZIP_STORED) -> Path:
    """A product's folder as a ZIP archive."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", compression) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return target
