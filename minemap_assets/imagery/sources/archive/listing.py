"""The files of an archive: loose images and masks, and Sentinel-2 products in folders and ZIP archives."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath

from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster_files import JPEG2000_SUFFIX
from minemap_assets.imagery.files.addresses import check_href, is_remote
from minemap_assets.imagery.files.cloud_rules import USUAL_RULES, CloudFiles, CloudRule
from minemap_assets.imagery.files.safe_metadata import METADATA_NAME
from minemap_assets.imagery.files.safe_products import FOLDER_SUFFIX, ZIP_SUFFIX

PATTERN = "**/*.tif"
"""The usual pattern; it stands for JPEG 2000 files and for Sentinel-2 products as well."""

_HERE = PurePosixPath()
_MOST_LOOKED_AT = 10_000
_MOST_KINDS = 3


@dataclass(frozen=True)
class Refusal:
    """A file that is not in the index, and one sentence why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """Paths below an archive's root, sorted: images and masks by themselves, folders that are Sentinel-2 products (an
    empty path for the root itself), and ZIP archives that may hold some.
    """

    loose: tuple[str, ...]
    folders: tuple[str, ...] = ()
    zips: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted({*self.loose, *self.folders, *self.zips}))


def list_files(root: str, pattern: str, name: str, clouds: Sequence[CloudRule] = USUAL_RULES) -> Listing:
    """The files that match a pattern with their cloud masks, and the products that do or that hold a file that does.

    Raises `BadInputError` where there are none.
    """
    if is_remote(root):
        raise BadInputError(f"{root} cannot be listed; give the archive's files by name or index a local copy of it")
    folder = folder_at(root, name)
    if folder.is_file():
        return Listing((), zips=("",))
    every, products, zips = _walked(folder)
    try:
        patterns = (pattern, f"**/*{JPEG2000_SUFFIX}") if pattern == PATTERN else (pattern,)
        found = {p.relative_to(folder).as_posix(): p.is_file() for one in patterns for p in folder.glob(one)}
    except (ValueError, NotImplementedError, IndexError) as error:
        raise BadInputError(f"--pattern: {pattern!r} is no pattern for files below {root}; write '**/*.tif'") from error
    if pattern != PATTERN:
        products = {p for p in products if any(_within(path, {p}) for path in found)}
        zips &= set(found)
    paths = {path for path, is_file in found.items() if is_file and path not in zips and not _within(path, products)}
    if not paths and not products and not zips:
        raise BadInputError(f"{root} holds no file that matches {pattern}{_instead(folder)}")
    masks = CloudFiles((path for path in every if _is_image(path) and not _within(path, products)), clouds)
    paths |= masks.of_files(path for path in paths if path not in masks.rules)
    return Listing(tuple(sorted(paths)), tuple(sorted(products)), tuple(sorted(zips)))


def split_files(root: str, paths: Iterable[str]) -> Listing:
    """Paths that a person gives: those of files within a product's folder stand for the product."""
    given = set(paths)
    if is_remote(root):
        return Listing(tuple(sorted(given)))
    if Path(root).is_file():
        return Listing((), zips=("",))

    @cache
    def product_at(folder: PurePosixPath) -> str | None:
        """The product that a folder is, or lies in."""
        place = Path(root, folder)
        if place.is_dir() and _is_product(str(place), (path.name for path in place.iterdir())):
            return "" if folder == _HERE else folder.as_posix()
        return None if folder in (_HERE, folder.parent) else product_at(folder.parent)

    products = {product for path in given if (product := product_at(PurePosixPath(path))) is not None}
    zips = {path for path in given if path.lower().endswith(ZIP_SUFFIX) and Path(root, path).is_file()}
    loose = {path for path in given - zips if not _within(path, products)}
    return Listing(tuple(sorted(loose)), tuple(sorted(products)), tuple(sorted(zips)))


def folder_at(root: str, name: str) -> Path:
    """The folder of an archive on this machine, or the ZIP archive that it is. Raises `BadInputError` without one."""
    folder = Path(root)
    if folder.is_dir() or (folder.is_file() and folder.suffix.lower() == ZIP_SUFFIX):
        return folder
    what = f"{root} is a file" if folder.exists() else f"there is no folder {root}"
    raise BadInputError(f"{what}; give the folder that holds the files of the archive {name}")


def nameable(root: str, paths: Iterable[str]) -> tuple[list[str], list[Refusal]]:
    """The paths that an index can name, and the others, each with the reason."""
    good: list[str] = []
    refused: list[Refusal] = []
    for path in paths:
        try:
            check_href(root, path)
        except BadInputError as error:
            refused.append(Refusal(path, f"{error}; rename it"))
        else:
            good.append(path)
    return good, refused


def orphan(path: str) -> str:
    """Why a cloud mask without an image is refused."""
    return f"{path} is a cloud mask by its name, but no image is named as it is; index the folder that holds both"


def _walked(folder: Path) -> tuple[set[str], set[str], set[str]]:
    """All files below a folder, the folders that are products, and the ZIP archives outside of those."""
    every: set[str] = set()
    products: set[str] = set()
    for place, folders, files in os.walk(folder):
        within = PurePosixPath(Path(place).relative_to(folder).as_posix())
        path = "" if within == _HERE else within.as_posix()
        if _is_product(place, files) and not _within(path, products):
            products.add(path)
        folders.sort()
        every |= {(within / file).as_posix() for file in files}
    zips = {path for path in every if path.lower().endswith(ZIP_SUFFIX) and not _within(path, products)}
    return every, products, zips


def _is_product(place: str, files: Iterable[str]) -> bool:
    return place.lower().endswith(FOLDER_SUFFIX) or any(METADATA_NAME.fullmatch(file) for file in files)


def _within(path: str, folders: Set[str]) -> bool:
    """True where a path is one of these folders, or lies in one."""
    if not folders:
        return False
    return "" in folders or path in folders or any(p.as_posix() in folders for p in PurePosixPath(path).parents)


def _is_image(path: str) -> bool:
    suffix = PurePosixPath(path).suffix.lower()
    return suffix.startswith(".tif") or suffix == JPEG2000_SUFFIX


def _instead(folder: Path) -> str:
    """What a folder holds in the place of images, and what to do about it."""
    files = islice((p for p in folder.rglob("*") if p.is_file()), _MOST_LOOKED_AT)
    kinds = Counter(p.suffix or p.name for p in files)
    if not kinds:
        return ", nor anything else; give the folder that holds the images"
    tiffs = [kind for kind in kinds if kind.lower() in (".tif", ".tiff")]
    if tiffs:
        return f", but {kinds[tiffs[0]]:,} of *{tiffs[0]}; give --pattern '**/*{tiffs[0]}'"
    held = ", ".join(f"{count:,} of {kind}" for kind, count in kinds.most_common(_MOST_KINDS))
    return (
        f", only {held}; images have to be GeoTIFF, which gdal_translate makes of most others, JPEG 2000, or "
        "Sentinel-2 products in .SAFE folders or ZIP archives"
    )
