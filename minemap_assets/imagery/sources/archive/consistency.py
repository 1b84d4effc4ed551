"""Files and images of an archive that are doubtful beside the others, and the cloud masks of an image."""

import os.path
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import groupby

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.imagery.files.addresses import is_remote
from minemap_assets.imagery.files.cloud_rules import CloudFiles
from minemap_assets.imagery.files.images import ArchiveIndex, Image
from minemap_assets.imagery.files.inspection import FileFacts, MaskFacts, inspect_mask
from minemap_assets.lake.manifests import digest

ENOUGH = 10
"""Files of one kind from which on an odd one is told from the others."""

MOST_ODD = 0.1
"""Share of the files that may be odd; more are a kind of their own."""

COARSER = 1.5
"""Pixels this many times larger than the others' were cut down."""


def odd_ones(files: Iterable[FileFacts]) -> dict[str, str]:
    """Files, by path, that have fewer bands or much larger pixels than nearly all others of the same band, and why."""
    complaints = {}
    for _, members in groupby(sorted(files, key=_kind), key=_kind):
        some = list(members)
        count = Counter(f.count for f in some).most_common(1)[0][0]
        sizes = sorted(f.pixel_metres for f in some)
        size = sizes[len(sizes) // 2]
        odd = {f.path: reason for f in some if (reason := _oddity(f, count, size)) is not None}
        if len(some) >= ENOUGH and len(odd) <= MOST_ODD * len(some):
            complaints.update(odd)
    return complaints


def _kind(file: FileFacts) -> tuple[str, ...]:
    return tuple(asset.band for asset in file.assets)


def _oddity(file: FileFacts, count: int, size: float) -> str | None:
    if file.count < count:
        what = f"has {file.count} {'band' if file.count == 1 else 'bands'} where nearly all files like it have {count}"
    elif file.pixel_metres > COARSER * size:
        what = f"has pixels of {file.pixel_metres:.1f} m where nearly all files like it have {size:.1f} m"
    else:
        return None
    return f"{file.path} {what}; fetch it again, or index it as an archive of its own if it is meant to be so"


def with_clouds(image: Image, root: str, clouds: CloudFiles) -> Image:
    """An image with its cloud masks. Raises `BadInputError` where one of them cannot be used."""
    masks = [_mask(image, root, path, clouds) for path in clouds.of(image.id)]
    if not masks:
        return image
    revision = digest([image.revision, *(mask.revision for mask in masks)])
    return image.model_copy(update={"clouds": tuple(mask.mask for mask in masks), "revision": revision})


def _mask(image: Image, root: str, path: str, clouds: CloudFiles) -> MaskFacts:
    try:
        facts = inspect_mask(root, path, clouds.rules[path])
    except MinemapError as error:
        raise BadInputError(f"the cloud mask of {image.id} cannot be used: {error}") from error
    if not facts.footprint.intersects(image.geometry):
        raise BadInputError(f"{image.id} and its cloud mask {path} lie in different places; one georeference is wrong")
    return facts


def unlike_the_others(images: Collection[Image]) -> dict[str, str]:
    """Images, by id, without a cloud mask where most of the archive's have one, and why that will not do."""
    bare = [image.id for image in images if not image.clouds]
    masked = len(images) - len(bare)
    if masked <= len(bare):
        return {}
    return {
        image_id: f"{image_id} has no cloud mask, unlike {masked} other images here, and its clouds would count as "
        "ground; fetch its mask, or index it as an archive of its own"
        for image_id in bare
    }


def shared_files(root: str, images: Iterable[Image], others: Iterable[ArchiveIndex]) -> dict[str, int]:
    """How many of the images' files (below `root`) other archives hold too, by name."""
    own = _files(root, images)
    shared = {other.name: len(own & _files(other.root, other.images)) for other in others}
    return {name: count for name, count in shared.items() if count}


def _files(root: str, images: Iterable[Image]) -> set[str]:
    whole = root if is_remote(root) else os.path.realpath(root)
    return {f"{whole.rstrip('/')}/{asset.href}" for image in images for asset in image.assets}
