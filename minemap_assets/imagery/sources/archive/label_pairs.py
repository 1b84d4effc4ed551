"""Images and their masks compared: a label raster must lie on its image pixel by pixel."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from minemap_assets.errors import MinemapError
from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.inspection import sensible
from minemap_assets.imagery.files.reading import opened

_ROLE = re.compile(
    r"^(?:images?|img|masks?|labels?|lbl|tile)[_-]?|[_-]?(?:images?|img|masks?|labels?|lbl)$", re.IGNORECASE
)
_TOLERANCE = 0.5
"""Largest distance between corners of image and mask, in pixels."""


def check_pairs(root: str, images: Sequence[str], masks: Path) -> dict[str, str]:
    """Images (paths below `root`) that do not match their mask, each with one sentence why.

    A mask belongs to the image whose name is the same but for a word such as `img` or `mask`.
    """
    by_key = {_key(path.name): path for path in sorted(masks.glob("**/*.tif"))}
    complaints = {}
    for image in images:
        mask = by_key.get(_key(image))
        reason = f"{image} has no mask in {masks}" if mask is None else _mismatch(root, image, mask)
        if reason is not None:
            complaints[image] = reason
    return complaints


def _key(path: str) -> str:
    return _ROLE.sub("", PurePosixPath(path).stem).lower()


def _mismatch(root: str, image: str, mask: Path) -> str | None:
    try:
        with sensible(image), opened(address(root, image)) as left, opened(str(mask)) as right:
            if left.shape != right.shape:
                return (
                    f"{image} has {left.height} x {left.width} pixels and its mask {mask.name} "
                    f"{right.height} x {right.width}; one of them is malformed"
                )
            if left.crs != right.crs:
                return f"{image} is in {left.crs} and its mask {mask.name} in {right.crs}; make them alike"
            corners = ((0, 0), (left.width, 0), (0, left.height), (left.width, left.height))
            inverse = ~left.transform
            for corner in corners:
                column, row = inverse @ (right.transform @ corner)
                if max(abs(column - corner[0]), abs(row - corner[1])) > _TOLERANCE:
                    return f"{image} and its mask {mask.name} lie in different places; one georeference is wrong"
    except MinemapError as error:
        return str(error)
    return None
