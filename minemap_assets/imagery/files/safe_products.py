"""Sentinel-2 products as their makers hand them out: `.SAFE` folders, and ZIP archives of them that stay packed.

A product is known by its metadata file, whatever the folder around it is called. Bands are found by their places in
its granules, in the names of all years; of a band in several pixel sizes the finest counts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.cloud_polygons import SUFFIX
from minemap_assets.imagery.files.safe_metadata import METADATA_NAME, SafeMetadata, read_metadata
from minemap_assets.imagery.files.zip_members import member_sizes, open_bytes
from minemap_assets.imagery.products import SENTINEL2_BANDS

FOLDER_SUFFIX = ".safe"
ZIP_SUFFIX = ".zip"

_BAND = re.compile(r"_(?P<band>B(?:\d\d|8A))(?:_(?P<size>[126]0)m)?$")
_CLASSES = re.compile(r"_SCL(?:_\w+)?_(?P<size>[26]0)m$")
_CLASSI = "MSK_CLASSI_B00"
_CLOUDS = re.compile(r"MSK_CLOUDS_(?:\w+_)?B00(?:_MSIL1C)?$")
_OPAQUE, _CIRRUS = 1, 2
"""Bands of MSK_CLASSI_B00, 1 where it is so; the third one is snow."""

_CLASSES_RULE = "*_SCL*!=2,4,5,6,7,11"
_CLASSI_RULE = "*MSK_CLASSI*=1"
_CLOUDS_RULE = "*MSK_CLOUDS*=1"


@dataclass(frozen=True)
class OwnMask:
    """A cloud mask that a product brings: its file, which of its bands hide pixels, and by which rule."""

    href: str
    indexes: tuple[int, ...]
    rule: str


@dataclass(frozen=True)
class Granule:
    """One tile of a product: its images by band, its masks, and the images that should be there and are not.

    `bands` are by the mission's names, such as `B02`. Files go by their paths below the archive's root, which for a
    packed one lead through the ZIP archive.
    """

    name: str
    bands: dict[str, str]
    masks: tuple[OwnMask, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class SafeProduct:
    """A product: the name that its makers gave it, the path of its folder below the archive's root (empty for the root
    itself), its metadata file and all its files.
    """

    name: str
    path: str
    metadata: str
    files: tuple[str, ...]

    def href(self, file: str) -> str:
        """A file's path below the archive's root."""
        return f"{self.path}/{file}" if self.path else file

    def read_metadata(self, root: str) -> SafeMetadata:
        """What its metadata says. Raises `BadInputError` naming the file."""
        href = self.href(self.metadata)
        with open_bytes(address(root, href)) as handle:
            return read_metadata(handle, href)

    def granules(self, metadata: SafeMetadata) -> tuple[Granule, ...]:
        """Its tiles, sorted; also those of which no file is there."""
        folders: dict[str, list[str]] = {}
        for file in self.files:
            parts = PurePosixPath(file).parts
            if len(parts) > 2 and parts[0].upper() == "GRANULE":
                folders.setdefault(parts[1], []).append(file)
        expected: dict[str, list[str]] = {}
        for identifier, files in metadata.files.items():
            for file in files:
                parts = PurePosixPath(file).parts
                named = parts[1] if len(parts) > 2 else identifier
                whole = file if len(parts) > 2 else f"GRANULE/{identifier}/IMG_DATA/{file}"
                expected.setdefault(named, []).append(f"{whole}.jp2")
        names = sorted({*folders, *expected})
        return tuple(self._granule(n, folders.get(n, ()), expected.get(n, ()), metadata.product) for n in names)

    def _granule(self, name: str, there: Sequence[str], expected: Sequence[str], product: str) -> Granule:
        stems = {PurePosixPath(file).stem for file in there}
        bands, missing = {}, []
        for band, choice in _by_band([f for f in there if f.lower().endswith(".jp2")]).items():
            bands[band] = self.href(choice)
        for finest in _by_band([*expected, *there]).values():
            if PurePosixPath(finest).stem not in stems:
                missing.append(self.href(finest))
        own = _own_masks(there, product)
        masks = tuple(OwnMask(self.href(mask.href), mask.indexes, mask.rule) for mask in own)
        return Granule(name, dict(sorted(bands.items())), masks, tuple(sorted(missing)))


def _by_band(files: Iterable[str]) -> dict[str, str]:
    """The file of each band, by the mission's names; of several the one with the finest pixels."""
    found: dict[str, tuple[int, str]] = {}
    for file in sorted(files):
        match = _BAND.search(PurePosixPath(file).stem)
        if match is None or match["band"] not in SENTINEL2_BANDS or "IMG_DATA" not in PurePosixPath(file).parts:
            continue
        choice = int(match["size"] or 0), file
        found[match["band"]] = min(choice, found.get(match["band"], choice))
    return {band: file for band, (_, file) in found.items()}


def _own_masks(files: Iterable[str], product: str) -> tuple[OwnMask, ...]:
    """Scene classes of Level-2A, the finer ones; of Level-1C pixels of opaque cloud and cirrus, or their outlines."""
    stems = {PurePosixPath(file): PurePosixPath(file).stem for file in sorted(files)}
    if product == "sentinel-2-l2a":
        classes = [(int(m["size"]), f) for f, stem in stems.items() if (m := _CLASSES.search(stem))]
        images = sorted((size, f.as_posix()) for size, f in classes if f.suffix.lower() == ".jp2")
        return (OwnMask(images[0][1], (1,), _CLASSES_RULE),) if images else ()
    for file, stem in stems.items():
        if stem == _CLASSI and file.suffix.lower() == ".jp2":
            return (OwnMask(file.as_posix(), (_OPAQUE, _CIRRUS), _CLASSI_RULE),)
    for file, stem in stems.items():
        if _CLOUDS.search(stem) and file.suffix.lower() == SUFFIX:
            return (OwnMask(file.as_posix(), (1,), _CLOUDS_RULE),)
    return ()


def _name(path: str) -> str:
    whole = PurePosixPath(path)
    while whole.suffix.lower() in (FOLDER_SUFFIX, ZIP_SUFFIX):
        whole = whole.with_suffix("")
    return whole.name


def product_in_folder(root: str, path: str) -> SafeProduct:
    """The product that a folder below the root is. Raises `BadInputError` where it is none."""
    folder = Path(root, path)
    files = tuple(sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()))
    metadata = [file for file in files if METADATA_NAME.fullmatch(file)]
    if len(metadata) != 1:
        what = "no metadata file such as MTD_MSIL2A.xml" if not metadata else "more than one metadata file"
        raise BadInputError(f"{path or root} has {what}, so it is no whole Sentinel-2 product; fetch it again")
    return SafeProduct(_name(path or root), path, metadata[0], files)


def products_in_zip(root: str, path: str) -> tuple[SafeProduct, ...]:
    """The products in a ZIP archive below the root, none in one of other things.

    Raises `BadInputError` where it is cut off or damaged.
    """
    names = list(member_sizes(Path(root, path) if path else Path(root)))
    products = []
    for name in names:
        whole = PurePosixPath(name)
        if METADATA_NAME.fullmatch(whole.name):
            prefix = "" if whole.parent == PurePosixPath() else f"{whole.parent.as_posix()}/"
            files = tuple(n.removeprefix(prefix) for n in names if n.startswith(prefix))
            place = "/".join(part for part in (path, prefix.rstrip("/")) if part)
            products.append(SafeProduct(_name(place or root), place, whole.name, files))
    return tuple(products)
