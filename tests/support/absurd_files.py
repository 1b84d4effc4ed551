"""Files that are not what they say, as somebody else's folder may hold them."""

import re
import struct
import zlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import rasterio
from affine import Affine

from safe_scenes import ground, write_jp2

PLACE = Affine(10.0, 0.0, 499_480.0, 0.0, -10.0, 8_900_520.0)
SIDE = 400_000


def vast_and_empty(path: Path, **layout: object) -> Path:
    """A GeoTIFF of 400,000 x 400,000 pixels, none of which is stored."""
    profile = {"driver": "GTiff", "count": 4, "height": SIDE, "width": SIDE, "dtype": "uint16", "crs": "EPSG:32720"}
    place = Affine(5.0, 0.0, 200_000.0, 0.0, -5.0, 9_900_000.0)
    with rasterio.open(path, "w", **profile, transform=place, sparse_ok=True, **layout):
        pass
    return path


def small(path: Path, transform: Affine = PLACE, count: int = 4, value: int = 800) -> Path:
    """A small GeoTIFF of one value."""
    pixels = np.full((count, 8, 8) if count > 100 else (count, 104, 104), value, dtype=np.uint16)
    profile = {"driver": "GTiff", "count": count, "height": pixels.shape[1], "width": pixels.shape[2]}
    with rasterio.open(path, "w", **profile, dtype="uint16", crs="EPSG:32720", transform=transform) as target:
        target.write(pixels)
    return path


def moved(path: Path, scale: tuple[float, float, float], corner: tuple[float, float]) -> Path:
    """A small GeoTIFF whose tags for pixel size and corner say what they are told, whatever it is."""
    data = bytearray(small(path).read_bytes())
    found = {tag: place for tag, place in _tags(data) if tag in (33550, 33922)}
    struct.pack_into("<3d", data, found[33550], *scale)
    struct.pack_into("<6d", data, found[33922], 0.0, 0.0, 0.0, *corner, 0.0)
    path.write_bytes(data)
    return path


def bomb(path: Path, side: int = 40_000) -> Path:
    """A GeoTIFF whose only strip is a few megabytes, and gigabytes when it is unpacked."""
    strip = _deflated_zeros(rows=side, row=side * 2)
    data = bytearray(small(path, count=1).read_bytes())
    offset = len(data)
    for tag, place in _entries(data):
        values = {256: side, 257: side, 259: 8, 273: offset, 278: side, 279: len(strip)}
        if tag in values:
            struct.pack_into("<HII", data, place + 2, 4, 1, values[tag])
    path.write_bytes(bytes(data) + strip)
    return path


def _deflated_zeros(rows: int, row: int) -> bytes:
    """So many zeros as zlib writes them. After a full flush every row is the same bytes, so that one is compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(bytes(row)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">I", (rows * row % 65_521) << 16 | 1)  # Adler-32 of nothing but zeros
    return b"\x78\xda" + once * rows + packer.flush() + checksum


def vast_jp2(path: Path, side: int = 40_000) -> Path:
    """A JPEG 2000 file of a few kilobytes whose headers say that it is one tile of so many pixels along a side."""
    data = bytearray(write_jp2(path, np.full((1, 120, 120), 800, np.uint16), ground(10)).read_bytes())
    size, header = data.index(b"\xff\x4f\xff\x51") + 8, data.index(b"ihdr") + 4
    for place in (size, size + 4, size + 16, size + 20):
        struct.pack_into(">I", data, place, side)
    struct.pack_into(">II", data, header, side, side)
    # of its four tile-parts the other three would be of no tile
    first = data.index(b"\xff\x90\x00\x0a")
    second = data.index(b"\xff\x90\x00\x0a", first + 1)
    path.write_bytes(bytes(data[:second]) + b"\xff\xd9")
    return path


def linked_jp2(path: Path, url: str) -> None:
    """A JPEG 2000 file whose own description gives its CRS by a web address."""
    write_jp2(path, np.full((1, 120, 120), 800, np.uint16), ground(10), GMLJP2="YES", GeoJP2="NO")
    data = path.read_bytes()
    names = set(re.findall(rb'srsName="([^"]*)"', data))
    assert names
    for name in names:
        link = f"{url}/crs".encode().ljust(len(name), b"x")
        assert len(link) == len(name)
        data = data.replace(name, link)
    path.write_bytes(data)


def zip_bomb(path: Path, size: int = 20_000_000, name: str = "a.SAFE/GRANULE/a/IMG_DATA/a_B02.jp2") -> Path:
    """A ZIP archive with the metadata of a product and a file of nothing that is large when it is unpacked."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.SAFE/MTD_MSIL1C.xml", "<x/>")
        archive.writestr(name, bytes(size))
    return path


def _entries(data: bytearray) -> list[tuple[int, int]]:
    """Tag and place of each entry of the first directory of a little-endian classic TIFF."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    places = [first + 2 + 12 * number for number in range(count)]
    return [(struct.unpack_from("<H", data, place)[0], place) for place in places]


def _tags(data: bytearray) -> list[tuple[int, int]]:
    """Tag and place of the values of each entry that lie outside the directory."""
    return [(tag, struct.unpack_from("<I", data, place + 8)[0]) for tag, place in _entries(data)]
