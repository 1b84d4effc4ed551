"""Which format a vector file has, told from its own first bytes, before GDAL sees it.

GDAL takes a file for what any of its drivers recognises in it, and some of them only read where else to fetch: from
another file, a data base, a web server. So a file is looked at here first, and GDAL is given nothing but data.
"""

import json
import mmap
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from minemap_assets.errors import BadInputError

READABLE = "give a GeoPackage, GeoJSON, Shapefile, FlatGeobuf, KML or GeoParquet file"
"""What to do about a file that is none of them."""

INSIDE_ZIP = (".shp", ".gpkg", ".geojson", ".fgb", ".kml")
LARGEST_MEMBER = 4_000_000_000
"""Uncompressed bytes of a file in a zip archive; more is no vector file but a bomb."""

FOLDER = ".gdb"
"""The one format that is a folder: a file geodatabase."""

_MAGIC: Mapping[str, bytes] = MappingProxyType(
    {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a", ".fgb": b"fgb\x03fgb"}
)
"""How files begin, by their suffix."""

_JSON_LINES = (".geojsonl", ".geojsons", ".ndjson", ".jsonl")
_POINTERS = re.compile(
    rb"<\s*(?:OGRVRT|OGRWFS|OGRCSW|OGCAPI|GDAL_|GDALTileIndex|VRTDataset|WCS_GDAL|WMS_|MRF_META|!ENTITY)", re.IGNORECASE
)
"""What begins the XML of GDAL's pointers to elsewhere; some are looked for anywhere in a file."""

_KML_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?>(?><\?.*?\?>|<!--.*?-->)\s*+)*+<(?:\w+:)?kml[\s>]", re.DOTALL)
_CRS = re.compile(rb"[\"'](?:c|\\u00[46]3)(?:r|\\u00[57]2)(?:s|\\u00[57]3)[\"']\s*+(.)\s*+", re.IGNORECASE | re.DOTALL)
"""The word `crs` in quotes, however its letters are written, and what follows it."""

_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_CRS_KINDS = frozenset({"name", "epsg", "ogc"})
"""Ways of naming a CRS that need no other file; GDAL follows links."""

_HEAD = 4096
_MOST_OF_CRS = 100_000


def gdal_address(path: Path, layer: str | None) -> str:
    """What GDAL may open for a file, or for the one vector file in a zip archive (of the name `layer`, where given).

    Raises `BadInputError` where it is of no known format, is not what its name says, or names other files or addresses.
    """
    path = path.absolute()
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if suffix in (".zip", ".kmz"):
        member = _member(path, layer)
        return _checked(f"/vsizip/{path}/{member.filename}", _InZip(path, member))
    return _checked(str(path), _Plain(path))


def _folder(path: Path) -> str:
    if path.suffix.lower() != FOLDER or not any(path.glob("*.gdbtable")):
        raise BadInputError(f"{path} is a folder; give one vector file in it")
    return str(path)


@dataclass(frozen=True)
class _Plain:
    """A file on the disk."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    @contextmanager
    def data(self) -> Iterator["bytes | mmap.mmap"]:
        with self.path.open("rb") as handle:
            if not self.path.stat().st_size:
                yield b""
                return
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped


@dataclass(frozen=True)
class _InZip:
    """A file in a zip archive."""

    archive: Path
    member: zipfile.ZipInfo

    @property
    def name(self) -> str:
        return f"{self.member.filename} in {self.archive}"

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.member.filename).suffix.lower()

    @contextmanager
    def data(self) -> Iterator[bytes]:
        with zipfile.ZipFile(self.archive) as archive, archive.open(self.member) as handle:
            yield handle.read(_HEAD if self.suffix in _MAGIC else LARGEST_MEMBER)


def _member(path: Path, layer: str | None) -> zipfile.ZipInfo:
    try:
        with zipfile.ZipFile(path) as archive:
            found = [m for m in archive.infolist() if PurePosixPath(m.filename).suffix.lower() in INSIDE_ZIP]
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
        raise BadInputError(f"{path} is not a whole zip archive; fetch it again") from error
    if layer is not None:
        found = [m for m in found if PurePosixPath(m.filename).stem == layer]
    if len(found) != 1:
        names = ", ".join(sorted(PurePosixPath(m.filename).stem for m in found)) or "none"
        raise BadInputError(f"{path} must hold one vector file, but holds {names}; name the one to read as its layer")
    if found[0].file_size > LARGEST_MEMBER:
        raise BadInputError(f"{path} holds {found[0].file_size / 1e9:,.0f} GB unpacked; give the vector file in it")
    return found[0]


def _checked(address: str, source: "_Plain | _InZip") -> str:
    """What GDAL opens for a file that is found to be data."""
    with source.data() as data:
        magic = _MAGIC.get(source.suffix)
        if magic is not None:
            if data[: len(magic)] != magic:
                raise BadInputError(f"{source.name} is not what its name says; {READABLE}")
            return address
        start = data[:_HEAD].lstrip(b"\xef\xbb\xbf\x1e \t\r\n")
        if source.suffix == ".kml":
            _check_kml(source.name, data)
            return address
        if start[:1] in (b"{", b"["):
            _check_json(source.name, data)
            return f"{_json_driver(source.suffix, data)}:{address}"
    raise BadInputError(f"{source.name} cannot be read as a vector file (its format is not known); {READABLE}")


def _json_driver(suffix: str, data: "bytes | mmap.mmap") -> str:
    """The driver of GDAL that is made to read JSON, by the word it wants before the address."""
    if suffix in _JSON_LINES or data[:1] == b"\x1e":
        return "GeoJSONSeq"
    return "TopoJSON" if _TOPOLOGY.search(data[:_HEAD]) is not None else "GeoJSON"


def _check_kml(name: str, data: "bytes | mmap.mmap") -> None:
    if _KML_ROOT.match(data, 0, min(len(data), 1 << 20)) is None or _POINTERS.search(data) is not None:
        raise BadInputError(f"{name} is not KML alone; {READABLE}")


def _check_json(name: str, data: "bytes | mmap.mmap") -> None:
    """Refuse a CRS that is a link: GDAL would fetch it."""
    for found in _CRS.finditer(data):
        if found[1] in b",]}":
            continue
        text = bytes(data[found.end() : found.end() + _MOST_OF_CRS]).decode("utf-8", "replace")
        if found[1] != b":" or not _names_crs(text):
            raise BadInputError(
                f"{name} has a CRS that is not written out but is to be found elsewhere; write its name, such as "
                "EPSG:4326"
            )


def _names_crs(text: str) -> bool:
    """Whether JSON that begins so is no object, or one that names a CRS."""
    kinds: list[object] = []

    def collect(pairs: list[tuple[str, object]]) -> object:
        kinds.extend(value for key, value in pairs if key.lower() == "type")
        return None

    try:
        json.JSONDecoder(object_pairs_hook=collect).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return all(str(kind).lower() in _CRS_KINDS for kind in kinds)
