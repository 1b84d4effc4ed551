"""Images of an archive that are tiles of Sentinel-2 products: what their own metadata says holds, not their names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.files.addresses import address, check_href, file_at
from minemap_assets.imagery.files.cloud_polygons import SUFFIX, read_polygons
from minemap_assets.imagery.files.cloud_rules import CloudRule, parse_rule
from minemap_assets.imagery.files.images import CloudMask, Image
from minemap_assets.imagery.files.inspection import FileFacts, Numbers, file_revision, inspect, inspect_mask, sensible
from minemap_assets.imagery.files.safe_metadata import SafeMetadata
from minemap_assets.imagery.files.safe_products import (
    FOLDER_SUFFIX,
    ZIP_SUFFIX,
    Granule,
    OwnMask,
    SafeProduct,
    product_in_folder,
    products_in_zip,
)
from minemap_assets.imagery.products import SENTINEL2_BANDS, Product
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.sources.archive.listing import Listing, Refusal
from minemap_assets.lake.manifests import digest

_AROUND = 0.02
"""Degrees around the outline in a product's metadata, which is a rough one."""

_NODATA = 0.0
"""The special value NODATA of every product; the others of the metadata are not to be relied on (products of baseline
02.08 call 6 saturated), and 65535 is beyond the brightest reflectance anyway.
"""


@dataclass(frozen=True, kw_only=True)
class SafeRules:
    """What a person says of products; the rules of cloud masks take the place of the usual ones where they fit."""

    clouds: tuple[CloudRule, ...] = ()
    terms: str = ""
    redistributable: bool = False


@dataclass(frozen=True)
class SafeReport:
    """Images of products, and the files that were refused."""

    images: tuple[Image, ...]
    refused: tuple[Refusal, ...]


def index_products(root: str, listing: Listing, kind: Product | None, rules: SafeRules) -> SafeReport:
    """The images of all products of an archive, or of those of one kind; a product that is there twice counts once."""
    images: dict[str, Image] = {}
    refused: list[Refusal] = []
    taken: dict[str, str] = {}
    for product in _products(root, listing, refused):
        path = product.path or product.name
        if product.name in taken:
            reason = f"{path} is the same product as {taken[product.name]}, which is used; keep one of them"
            refused.append(Refusal(path, reason))
            continue
        taken[product.name] = path
        try:
            metadata = product.read_metadata(root)
        except MinemapError as error:
            refused.append(Refusal(path, str(error)))
            continue
        if kind is not None and metadata.product != kind.name:
            refused.append(
                Refusal(path, f"{path} is of {metadata.product}, not {kind.name}; index it without --product")
            )
            continue
        granules = product.granules(metadata)
        if not granules:
            refused.append(Refusal(path, f"{path} holds no tile of the product; fetch it again"))
        for granule in granules:
            image = _image(root, _Tile(product, granule, metadata, len(granules) == 1), rules, refused)
            if image is not None:
                images[image.id] = image
    return SafeReport(tuple(images[key] for key in sorted(images)), tuple(refused))


def _products(root: str, listing: Listing, refused: list[Refusal]) -> Iterator[SafeProduct]:
    """The products in folders, then those in ZIP archives; what cannot be opened is refused."""
    for path in listing.folders:
        try:
            yield product_in_folder(root, path)
        except MinemapError as error:
            refused.append(Refusal(path or root, str(error)))
    for path in listing.zips:
        try:
            found = products_in_zip(root, path)
        except MinemapError as error:
            refused.append(Refusal(path or root, str(error)))
            continue
        if not found:
            reason = f"{path or root} holds no whole Sentinel-2 product; fetch it again if it should, or unpack it"
            refused.append(Refusal(path or root, reason))
        yield from found


@dataclass(frozen=True)
class _Tile:
    """A tile of a product; `only` where the product has no other."""

    product: SafeProduct
    granule: Granule
    metadata: SafeMetadata
    only: bool

    @property
    def id(self) -> str:
        """The product's name in the folder where it lies, with the tile behind it where there are several."""
        parts = [p for p in PurePosixPath(self.product.path).parts if p not in (".", "")]
        folder = []
        for part in parts[:-1]:
            if part.lower().endswith((FOLDER_SUFFIX, ZIP_SUFFIX)):
                break
            folder.append(part)
        return "/".join([*folder, self.product.name, *([] if self.only else [self.granule.name])])


def _image(root: str, tile: _Tile, rules: SafeRules, refused: list[Refusal]) -> Image | None:
    """The image of a tile, None where it cannot be used; every file that cannot is refused with its reason."""
    kind = known_product(tile.metadata.product)
    granule = tile.granule
    place = tile.product.href(f"GRANULE/{granule.name}")
    if not granule.bands:
        refused.append(Refusal(place, f"{place} holds none of the tile's images; fetch the product again"))
        return None
    refused += [
        Refusal(path, f"{path} is named in the product's metadata and is not there; fetch the product again")
        for path in granule.missing
    ]
    try:
        masks = _masks(root, tile, place, rules)
    except MinemapError as error:
        refused.append(Refusal(place, str(error)))
        return None
    good: list[FileFacts] = []
    for name, path in granule.bands.items():
        if SENTINEL2_BANDS[name] not in kind.bands:
            continue
        try:
            good.append(_band(root, path, name, kind, tile.metadata))
        except MinemapError as error:
            refused.append(Refusal(path, str(error)))
    if not good:
        return None
    if all(facts.empty for facts in good):
        refused.append(Refusal(place, f"{place} has no observed pixel in any band; fetch it again if it should have"))
        return None
    return _built(tile, kind, good, masks, rules)


def _built(
    tile: _Tile, kind: Product, good: Sequence[FileFacts], masks: Mapping[CloudMask, str], rules: SafeRules
) -> Image:
    finest = min(good, key=lambda facts: (facts.pixel_metres, facts.path))
    assets = [asset for facts in good for asset in facts.assets]
    return Image(
        id=tile.id,
        product=kind.name,
        start=tile.metadata.day,
        end=tile.metadata.day,
        crs=finest.crs,
        terms=rules.terms,
        redistributable=rules.redistributable,
        processing_baseline=tile.metadata.baseline,
        revision=digest(sorted([*(facts.revision for facts in good), *masks.values()])),
        assets=tuple(sorted(assets, key=lambda asset: kind.bands.index(asset.band))),
        clouds=tuple(masks),
        footprint=shapely.to_wkt(_seen(finest.footprint, tile.metadata.footprint), rounding_precision=7),
    )


def _seen(whole: BaseGeometry, outline: BaseGeometry | None) -> BaseGeometry:
    """The part of a tile that its product says it shows, and a bit more; all of it where that makes no sense."""
    shown = None if outline is None else whole.intersection(outline.buffer(_AROUND))
    return whole if shown is None or shown.is_empty or shown.geom_type != "Polygon" else shown


def _band(root: str, path: str, name: str, kind: Product, metadata: SafeMetadata) -> FileFacts:
    """Raises `BadInputError` with one sentence where it cannot be used."""
    check_href(root, path)
    if name not in metadata.offsets:
        raise BadInputError(f"{path} has no offset in the product's metadata, unlike other bands; fetch it again")
    scale = 1.0 / metadata.quantification
    numbers = Numbers(scale, metadata.offsets[name] * scale, _NODATA)
    return inspect(root, path, kind, (SENTINEL2_BANDS[name],), numbers)


def _masks(root: str, tile: _Tile, place: str, rules: SafeRules) -> Mapping[CloudMask, str]:
    """The tile's own masks, with the revisions of their files. Raises `BadInputError` where none can be used."""
    masks: dict[CloudMask, str] = {}
    for own in tile.granule.masks:
        check_href(root, own.href)
        name = PurePosixPath(own.href).name
        rule = next((r for r in rules.clouds if r.image_of(name) is not None), parse_rule(own.rule))
        for index in own.indexes:
            mask, revision = _mask(root, own, rule, index)
            masks[mask] = revision
    if not masks:
        level_2a = tile.metadata.product == "sentinel-2-l2a"
        what = "scene classes (SCL)" if level_2a else "cloud mask (MSK_CLASSI or MSK_CLOUDS)"
        raise BadInputError(f"{place} lacks its {what}, so that clouds would count as ground; fetch the product again")
    return masks


def _mask(root: str, own: OwnMask, rule: CloudRule, index: int) -> tuple[CloudMask, str]:
    try:
        if own.href.lower().endswith(SUFFIX):
            whole = address(root, own.href)
            file = file_at(whole)
            with sensible(own.href):
                read_polygons(whole)
            size = None if file is None else file.stat().st_size
            return CloudMask(href=own.href, rule=rule.text, bytes=size), file_revision(whole, own.href)
        facts = inspect_mask(root, own.href, rule, index)
    except MinemapError as error:
        raise BadInputError(f"the cloud mask cannot be used: {error}") from error
    return facts.mask, facts.revision
