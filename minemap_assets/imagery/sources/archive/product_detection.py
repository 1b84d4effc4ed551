"""A folder of images of several products: which product each file is, told by its name, its place or its content."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from minemap_assets.errors import BadInputError, MinemapError, PermanentError
from minemap_assets.imagery.basemaps.quad_files import band_order
from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.cloud_rules import CloudFiles
from minemap_assets.imagery.files.images import Image, read_index, write_features
from minemap_assets.imagery.files.inspection import sensible
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.files.scene_names import common_band
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.sources.archive.index import (
    ArchiveRules,
    Refusal,
    index_archive,
    list_files,
    nameable,
    orphan,
)

QUADS = "planet-nicfi"
Bands = tuple[str, ...] | None
"""Names of bands in order, None where the files name them."""

_QUAD_NAME = re.compile(
    r"(?<![A-Z0-9])L15-\d{4}[EW]-\d{4}[NS](?![A-Z0-9])|planet_medres_(?:normalized_)?analytic", re.I
)
_QUAD_METRES = 40_075_016.685578488 / (2048 * 4096)
"""Pixel size of a NICFI quad in EPSG:3857."""

_SENTINEL2 = re.compile(r"(?<![A-Z0-9])(?:S2[A-D]?|sentinel-?_?2)(?![A-Z0-9])|(?<![A-Z0-9])T?\d{2}[A-Z]{3}(?=_)", re.I)
_LEVEL = re.compile(r"(?<![A-Z0-9])(?:MSI_?)?(L1C|L2A)(?![A-Z0-9])", re.I)
_GRANULE = re.compile(r"(?<![A-Z0-9])T\d{2}[A-Z]{3}_\d{8}T\d{6}_(?:B\d[0-9A]|SCL|AOT|WVP)(?P<resolution>_[126]0m)?$")


@dataclass(frozen=True)
class FolderReport:
    """The index as GeoJSON bytes, the images in it, and the files that were refused."""

    features: bytes
    images: tuple[Image, ...]
    refused: tuple[Refusal, ...]


def index_folder(
    root: str,
    *,
    name: str,
    product: str | None,
    rules: ArchiveRules,
    pattern: str,
    files: Sequence[str] | None = None,
    masks: str | None = None,
) -> FolderReport:
    """Index a folder; without `product`, of each file the product that it says it is.

    Raises `BadInputError` as `index_archive` does, and where no file says its product.
    """
    if product is not None:
        whole = index_archive(root, name=name, product=product, rules=rules, pattern=pattern, files=files, masks=masks)
        return FolderReport(whole.features, read_index(name, root, whole.features).images, whole.refused)
    every = sorted(files) if files is not None else list_files(root, pattern, name, rules.cloud_rules)
    paths, refused = nameable(root, every)
    clouds = CloudFiles(paths, rules.cloud_rules)
    bands = [path for path in paths if path not in clouds.rules]
    refused += [Refusal(path, orphan(path)) for path in clouds.without_image(bands)]
    images: list[Image] = []
    groups, unreadable = _groups(root, bands, rules)
    refused += unreadable
    for (kind, order), members in groups.items():
        if kind is None:
            refused += [Refusal(p, f"{p} does not say which product it is; index it with --product") for p in members]
            continue
        report = index_archive(
            root,
            name=name,
            product=kind,
            rules=replace(rules, bands=order),
            files=[*members, *clouds.of_files(members)],
            masks=masks,
        )
        images += read_index(name, root, report.features).images
        refused += report.refused
    images.sort(key=lambda image: image.id)
    return FolderReport(write_features(images), tuple(images), tuple(sorted(refused, key=lambda r: r.path)))


def product_by_name(path: str) -> str | None:
    """The product that a file's name or the names of its folders, the nearest first, say it is; None without a word.

    `L15-0800E-1010N` and the names of NICFI mosaics are Planet quads; of Sentinel-2 the names of scenes with their
    level count (`S2A_MSIL2A_...`, `S2B_32TQM_20200612_0_L2A`), and those of bands in a scene's folder, where only
    Level-2A states a resolution.
    """
    for part in reversed(PurePosixPath(path).parts):
        stem = PurePosixPath(part).stem
        if _QUAD_NAME.search(stem):
            return QUADS
        granule = _GRANULE.search(stem)
        if granule:
            return "sentinel-2-l2a" if granule["resolution"] else "sentinel-2-l1c"
        level = _LEVEL.search(stem)
        if level and _SENTINEL2.search(stem):
            return f"sentinel-2-{level[1].lower()}"
    return None


def product_by_content(path: str) -> str | None:
    """The product of an image: quads by their pixels' size, Level-1C by its band 10; None for others.

    Raises `MinemapError` where the file cannot be opened.
    """
    with sensible(path), opened(path) as source:
        size = abs(float(source.transform.a))
        if str(source.crs) == "EPSG:3857" and abs(size / _QUAD_METRES - 1.0) < 0.001:
            return QUADS
        bands = {common_band(text or "") for text in source.descriptions}
    return "sentinel-2-l1c" if "cirrus" in bands else None


def _groups(
    root: str, paths: Sequence[str], rules: ArchiveRules
) -> tuple[dict[tuple[str | None, Bands], list[str]], list[Refusal]]:
    """Files by product and, for quads, by the order of their bands; and those that cannot be opened, with the reason.

    Raises `BadInputError` where no file that can be opened has a product.
    """
    own = PurePosixPath(root).name
    groups: dict[tuple[str | None, Bands], list[str]] = {}
    unreadable: list[Refusal] = []
    for path in paths:
        try:
            whole = address(root, path)
            product = product_by_name(f"{own}/{path}") or product_by_content(whole)
            order = _quad_bands(whole) if product == QUADS and rules.bands is None else rules.bands
        except MinemapError as error:
            unreadable.append(Refusal(path, str(error)))
            continue
        groups.setdefault((product, order), []).append(path)
    if groups and all(product is None for product, _ in groups):
        raise BadInputError(
            f"the files in {root} do not say which product they are; say so with --product and one of "
            f"{', '.join(PRODUCTS)}"
        )
    return groups, unreadable


def _quad_bands(path: str) -> tuple[str, ...] | None:
    """Bands of a quad in the documented order where the file names none, as `planet-basemaps` reads it; None where they
    are not those of a whole quad, so that what the file says counts. Raises as `opened` does.
    """
    with sensible(path), opened(path) as source:
        try:
            return band_order(source, None)
        except PermanentError:
            return None
