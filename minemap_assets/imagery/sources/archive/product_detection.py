"""A folder of images of several products: which product each file is, told by its name, its place or its content."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.files.addresses import address, is_remote
from minemap_assets.imagery.files.band_names import is_quad, is_quad_name
from minemap_assets.imagery.files.cloud_rules import CloudFiles
from minemap_assets.imagery.files.images import Image, read_index, write_features
from minemap_assets.imagery.files.inspection import sensible
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.files.scene_names import common_band
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.sources.archive.index import ArchiveRules, check_rules, index_archive
from minemap_assets.imagery.sources.archive.listing import (
    Refusal,
    folder_at,
    list_files,
    nameable,
    orphan,
    split_files,
)
from minemap_assets.imagery.sources.archive.safe_images import index_products

QUADS = "planet-nicfi"

_SENTINEL2 = re.compile(r"(?<![A-Z0-9])(?:S2[A-D]?|sentinel-?_?2)(?![A-Z0-9])|(?<![A-Z0-9])T?\d{2}[A-Z]{3}(?=_)", re.I)
_LEVEL = re.compile(r"(?<![A-Z0-9])(?:MSI_?)?(L1C|L2A)(?![A-Z0-9])", re.I)
_GRANULE = re.compile(r"(?<![A-Z0-9])T\d{2}[A-Z]{3}_\d{8}T\d{6}_(?:B\d[0-9A]|SCL|AOT|WVP)(?P<resolution>_[126]0m)?$")


@dataclass(frozen=True)
class FolderReport:
    """The index as GeoJSON bytes, the images in it, the files that were refused, and in sentences what of the others is
    not used or doubtful.
    """

    features: bytes
    images: tuple[Image, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()


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
        check_rules(rules, known_product(product))
    if files is not None and not is_remote(root):
        folder_at(root, name)
    listing = split_files(root, files) if files is not None else list_files(root, pattern, name, rules.cloud_rules)
    rules.days.check_files(root, listing.every)
    paths, refused = nameable(root, listing.loose)
    clouds = CloudFiles(paths, rules.cloud_rules)
    one = partial(index_archive, root, name=name, masks=masks)
    if product is not None:
        whole = one(product=product, rules=rules, files=listing.every)
        images = read_index(name, root, whole.features).images
        return FolderReport(whole.features, images, whole.refused, (*_unused(clouds, rules, images), *whole.notes))
    bands = [path for path in paths if path not in clouds.rules]
    refused += [Refusal(path, orphan(path)) for path in clouds.without_image(bands)]
    products = index_products(root, listing, None, rules.safe)
    refused += products.refused
    found: list[Image] = list(products.images)
    notes = [*_unused(clouds, rules, found), *rules.notes_on(len(found))]
    groups, unreadable = _groups(root, bands, alone=not found)
    refused += unreadable
    for kind, members in groups.items():
        if kind is None:
            refused += [Refusal(p, f"{p} does not say which product it is; index it with --product") for p in members]
            continue
        report = one(product=kind, rules=rules, files=[*members, *clouds.of_files(members)])
        found += read_index(name, root, report.features).images
        refused += report.refused
        notes += report.notes
    found.sort(key=lambda image: image.id)
    return FolderReport(write_features(found), tuple(found), tuple(sorted(refused, key=lambda r: r.path)), tuple(notes))


def product_by_name(path: str) -> str | None:
    """The product that a file's name or the names of its folders, the nearest first, say it is; None without a word.

    `L15-0800E-1010N` and the names of NICFI mosaics are Planet quads; of Sentinel-2 the names of scenes with their
    level count (`S2A_MSIL2A_...`, `S2B_32TQM_20200612_0_L2A`), and those of bands in a scene's folder, where only
    Level-2A states a resolution.
    """
    for part in reversed(PurePosixPath(path).parts):
        stem = PurePosixPath(part).stem
        if is_quad_name(stem):
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
        if is_quad(source):
            return QUADS
        bands = {common_band(text or "") for text in source.descriptions}
    return "sentinel-2-l1c" if "cirrus" in bands else None


def _unused(clouds: CloudFiles, rules: ArchiveRules, images: Sequence[Image]) -> tuple[str, ...]:
    """A sentence for each of a person's rules of cloud masks that is of no file, not even in a product."""
    used = {mask.rule for image in images for mask in image.clouds}
    left = (text for text in clouds.without_file(rules.cloud_rules) if text not in used)
    return tuple(f"--clouds: no file is named as {text!r} says" for text in left)


def _groups(root: str, paths: Sequence[str], *, alone: bool) -> tuple[dict[str | None, list[str]], list[Refusal]]:
    """Files by product; and those that cannot be opened, with the reason.

    Raises `BadInputError` where no file that can be opened has a product, and the files are `alone` in the archive.
    """
    own = PurePosixPath(root).name
    groups: dict[str | None, list[str]] = {}
    unreadable: list[Refusal] = []
    for path in paths:
        try:
            product = product_by_name(f"{own}/{path}") or product_by_content(address(root, path))
        except MinemapError as error:
            unreadable.append(Refusal(path, str(error)))
            continue
        groups.setdefault(product, []).append(path)
    if alone and groups and all(product is None for product in groups):
        raise BadInputError(
            f"the files in {root} do not say which product they are; say so with --product and one of "
            f"{', '.join(PRODUCTS)}"
        )
    return groups, unreadable
