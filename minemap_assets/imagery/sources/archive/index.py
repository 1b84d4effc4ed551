"""Indexing an archive: from files to one GeoJSON that says what each image is, and why a file was refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import shapely

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.geo.raster_files import JPEG2000_SUFFIX
from minemap_assets.imagery.files.band_names import NOT_USED, is_radiance_name
from minemap_assets.imagery.files.cloud_rules import USUAL_RULES, CloudFiles, CloudRule, parse_rule
from minemap_assets.imagery.files.images import MOST_DIGITS, Asset, Image, write_features
from minemap_assets.imagery.files.inspection import FileFacts, Numbers, inspect
from minemap_assets.imagery.files.safe_metadata import OFFSET_SINCE
from minemap_assets.imagery.files.scene_names import Days, band_of_file, baseline_of
from minemap_assets.imagery.products import Product
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.sources.archive.consistency import odd_ones, unlike_the_others, with_clouds
from minemap_assets.imagery.sources.archive.days import GivenDays
from minemap_assets.imagery.sources.archive.label_pairs import check_pairs
from minemap_assets.imagery.sources.archive.listing import (
    PATTERN,
    Refusal,
    list_files,
    nameable,
    orphan,
    split_files,
)
from minemap_assets.imagery.sources.archive.safe_images import SafeRules, index_products
from minemap_assets.lake.manifests import digest
from minemap_assets.messages import suggestion


@dataclass(frozen=True)
class IndexReport:
    """The index as GeoJSON bytes, the number of images in it, the files that were refused, and in sentences what of
    the others is not used or doubtful.
    """

    features: bytes
    images: int
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ArchiveRules:
    """What a person says of an archive where the files do not.

    `bands` names the bands of multi-band files in order, `-` one that is not to be used. `date` (a day, a month or
    `first/last`) or `year` (one mosaic for that year's season) hold for every file; `date_overrides` maps files,
    folders or patterns to dates. `scale` and `offset` turn numbers into reflectance; an offset is left out for
    Sentinel-2 baselines before 04.00. `clouds` are rules (`CloudRule`) that say which files are cloud masks, before the
    usual ones.
    """

    bands: tuple[str, ...] | None = None
    date: str | None = None
    year: int | None = None
    date_overrides: Mapping[str, str] | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    processing_baseline: str = ""
    terms: str = ""
    redistributable: bool = False
    clouds: tuple[str, ...] = ()

    @property
    def cloud_rules(self) -> tuple[CloudRule, ...]:
        """The rules of cloud masks, the usual ones last. Raises `BadInputError` for one that is none."""
        return (*(parse_rule(text) for text in self.clouds), *USUAL_RULES)

    @property
    def safe(self) -> SafeRules:
        """What they say of Sentinel-2 products, which speak for themselves otherwise."""
        return SafeRules(clouds=self.cloud_rules, terms=self.terms, redistributable=self.redistributable)

    def notes_on(self, products: int) -> tuple[str, ...]:
        """A sentence where something is said that does not hold for Sentinel-2 products, of which there are so many."""
        said = {
            "--bands": self.bands,
            "--date": self.date,
            "--year": self.year,
            "--date-of": self.date_overrides,
            "--scale": self.scale,
            "--offset": self.offset,
            "--nodata": self.nodata,
        }
        names = [option for option, value in said.items() if value is not None and value != {}]
        if not names or not products:
            return ()
        return (f"{' and '.join(names)} did not change the {products} images of products, whose metadata says it",)

    @property
    def days(self) -> GivenDays:
        """What they say of the days."""
        return GivenDays(self.date, self.year, self.date_overrides or {})


def index_archive(
    root: str,
    *,
    name: str,
    product: str,
    rules: ArchiveRules | None = None,
    pattern: str = PATTERN,
    files: Sequence[str] | None = None,
    masks: str | None = None,
) -> IndexReport:
    """Index the files of an archive.

    Sentinel-2 products, in `.SAFE` folders or ZIP archives of them, speak for themselves: their days, bands, offsets
    and cloud masks are those of their metadata.

    `files` (relative paths) takes the place of `pattern` and is needed for a URL prefix, which cannot be listed. Cloud
    masks beside the images are found by their names; an image is refused where its mask cannot be used, or where it has
    none and most others have. With `masks`, a folder of label rasters, images that do not match their mask pixel by
    pixel are refused. Files that cannot be used are in `refused`; the others are indexed. Raises `BadInputError` where
    there are no files, or where a rule is wrong.
    """
    kind, rules = known_product(product), rules or ArchiveRules()
    check_rules(rules, kind)
    listing = split_files(root, files) if files is not None else list_files(root, pattern, name, rules.cloud_rules)
    listed, refused = nameable(root, listing.loose)
    products = index_products(root, listing, kind, rules.safe)
    refused += products.refused
    clouds = CloudFiles(listed, rules.cloud_rules)
    paths = [path for path in listed if path not in clouds.rules]
    refused += [Refusal(path, orphan(path)) for path in clouds.without_image(paths)]
    if masks is not None:
        if not Path(masks).is_dir():
            raise BadInputError(f"--masks: {masks} is no folder; give the folder that holds the label rasters")
        pairs = check_pairs(root, paths, Path(masks))
        refused += [Refusal(path, reason) for path, reason in pairs.items()]
        paths = [path for path in paths if path not in pairs]
    groups = _groups(_usable(root, paths, kind, rules, refused))
    images: dict[str, Image] = {}
    for image_id, members in groups.items():
        try:
            days = rules.days.of(members[0].path, kind, PurePosixPath(root).name)
            images[image_id] = with_clouds(_image(image_id, members, kind, rules, days), root, clouds)
        except MinemapError as error:
            refused += [Refusal(member.path, str(error)) for member in members]
    for image_id, reason in unlike_the_others(images.values()).items():
        refused += [Refusal(member.path, reason) for member in groups[image_id]]
        del images[image_id]
    used = [member for image_id in images for member in groups[image_id]]
    ordered = tuple(sorted(refused, key=lambda r: r.path))
    every = [*images.values(), *(image for image in products.images if image.id not in images)]
    notes = (*_notes(used, rules), *rules.notes_on(len(products.images)))
    return IndexReport(write_features(every), len(every), ordered, notes)


def _usable(
    root: str, paths: Sequence[str], kind: Product, rules: ArchiveRules, refused: list[Refusal]
) -> dict[str, FileFacts]:
    """What is in each file that can be used; the others are refused with their reasons."""
    good: dict[str, FileFacts] = {}
    numbers = Numbers(rules.scale, rules.offset or 0.0, rules.nodata)
    for path in paths:
        try:
            good[path] = inspect(root, path, kind, rules.bands, numbers)
        except MinemapError as error:
            refused.append(Refusal(path, str(error)))
    for path, reason in odd_ones(good.values()).items():
        refused.append(Refusal(path, reason))
        del good[path]
    return good


def check_rules(rules: ArchiveRules, kind: Product) -> None:
    """Raises `BadInputError`, naming the option, for a rule that makes no sense for a product."""
    if rules.bands:
        _check_bands(rules.bands, kind)
    rules.days.check(kind)
    if rules.scale is not None and not 1.0 / MOST_DIGITS <= abs(rules.scale) <= MOST_DIGITS:
        raise BadInputError(f"--scale: {rules.scale:g} turns no number into reflectance; give one such as 0.0001")
    if rules.offset is not None and not abs(rules.offset) <= MOST_DIGITS:
        raise BadInputError(f"--offset: {rules.offset:g} is no shift of reflectance; give one such as -0.1")


def _check_bands(bands: Sequence[str], kind: Product) -> None:
    named = [band for band in bands if band != NOT_USED]
    unknown = [band for band in named if band not in kind.bands]
    if unknown or not named:
        meant = suggestion(unknown[0], kind.bands) if unknown else ""
        raise BadInputError(
            f"--bands: {kind.name} has no band {', '.join(unknown) or '(none named)'}{meant}; it has "
            f"{', '.join(kind.bands)}, and - stands for a band that is not to be used"
        )
    doubled = sorted({band for band in named if named.count(band) > 1})
    if doubled:
        raise BadInputError(f"--bands: {', '.join(doubled)} is named more than once; name each band of a file once")


def _notes(files: Sequence[FileFacts], rules: ArchiveRules) -> Iterator[str]:
    """What of files that are in the index is not used, and what their numbers may mean."""
    unused: dict[tuple[str, ...], list[str]] = {}
    for file in files:
        unused.setdefault(file.unused, []).append(file.path)
    for bands, paths in unused.items():
        if bands:
            where = f"of {paths[0]}" if len(paths) == 1 else f"of {len(paths):,} files (such as {paths[0]})"
            yield f"{' and '.join(bands)} {where} {'is' if len(bands) == 1 else 'are'} not used"
    radiance = [file.path for file in files if is_radiance_name(file.path)]
    if radiance and rules.scale is None:
        yield (
            f"{radiance[0]} and what is named like it holds radiance, not reflectance, and its numbers count as "
            "reflectance x 10,000; order surface reflectance (AnalyticMS_SR) to compare it with other images"
        )


def _groups(files: Mapping[str, FileFacts]) -> dict[str, list[FileFacts]]:
    """Files of one scene together: those of one folder whose names differ in the band only."""
    groups: dict[str, list[FileFacts]] = {}
    for path, facts in sorted(files.items()):
        named = band_of_file(path) if len(facts.assets) == 1 else None
        key = named.stem if named is not None else PurePosixPath(path).with_suffix("").as_posix()
        groups.setdefault(key, []).append(facts)
    return groups


def _image(image_id: str, members: Sequence[FileFacts], kind: Product, rules: ArchiveRules, days: Days) -> Image:
    if all(member.empty for member in members):
        raise BadInputError(f"{image_id} has no observed pixel in any band; fetch it again if it should have")
    baseline = rules.processing_baseline or baseline_of(image_id)
    assets = [_with_offset(asset, baseline, rules) for member in members for asset in member.assets]
    bands = [asset.band for asset in assets]
    doubled = sorted({band for band in bands if bands.count(band) > 1})
    if doubled:
        raise BadInputError(f"{image_id} has more than one file for {', '.join(doubled)}; keep one of them")
    finest = min(members, key=lambda m: (m.pixel_metres, m.path))
    return Image(
        id=image_id,
        product=kind.name,
        start=days.start,
        end=days.end,
        year=days.year,
        crs=finest.crs,
        terms=rules.terms,
        redistributable=rules.redistributable,
        processing_baseline=baseline,
        revision=digest(sorted(member.revision for member in members)),
        assets=tuple(sorted(assets, key=lambda asset: kind.bands.index(asset.band))),
        footprint=shapely.to_wkt(finest.footprint, rounding_precision=7),
    )


def _with_offset(asset: Asset, baseline: str, rules: ArchiveRules) -> Asset:
    """The asset with the offset that holds for its processing baseline; a doubtful one is asked for."""
    if not baseline:
        if asset.href.lower().endswith(JPEG2000_SUFFIX) and rules.offset is None and rules.scale is None:
            raise BadInputError(
                f"{asset.href} is a band without its product's metadata, whose numbers may or may not be shifted by "
                "1000; say so with an offset of -0.1 or 0, or index the whole .SAFE product"
            )
        return asset
    if baseline < OFFSET_SINCE:
        return asset.model_copy(update={"offset": 0.0})
    if rules.offset is None and rules.scale is None and asset.scale != 1.0:
        raise BadInputError(
            f"{asset.href} is of processing baseline {baseline}, whose numbers may or may not be shifted by 1000; "
            "say so with an offset of -0.1 or 0"
        )
    return asset
