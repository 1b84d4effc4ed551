"""Known mines that a project is begun with: outlines in a file, or masks in a folder."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from dagster_project.commands.context import complain
from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector import write_geoparquet
from minemap_assets.geo.vector_files import areal_parts, read_vector
from minemap_assets.reference.labelled_masks import polygons_from_masks

MASKS = "mask_*.tif"
"""Masks by their usual name; a folder without any holds nothing but masks."""

_MASK_FILE = "*.tif"


@dataclass(frozen=True, eq=False)
class KnownMines:
    """Known mines, read and whole: the file to register and its polygons (EPSG:4326)."""

    name: str
    file: Path
    polygons: tuple[shapely.Polygon, ...]
    masks: bool


@contextmanager
def known_mines(path: Path | None, images: Path | None) -> Iterator[KnownMines | None]:
    """Known mines, read; None where there are none. Raises `BadInputError`."""
    if path is None:
        yield None
    elif path.is_dir() and path.suffix.lower() != ".gdb":
        with tempfile.TemporaryDirectory() as scratch:
            yield _outlined(path, images, Path(scratch))
    else:
        frame = read_vector(path)
        parts, _ = areal_parts(short_way(np.asarray(frame.geometry.array, dtype=object)))
        if not len(parts):
            raise BadInputError(f"--truth: {path} holds no polygon; give outlines of mines")
        yield KnownMines(name_from(path.stem, "_"), path, tuple(parts), masks=False)


def _outlined(folder: Path, images: Path | None, scratch: Path) -> KnownMines:
    """Masks as polygons in a file of their own."""
    pattern = MASKS if any(folder.glob(MASKS)) else _MASK_FILE
    outlined = polygons_from_masks(folder, pattern, images=images)
    for refused in outlined.refused:
        complain(f"{refused.item}: {refused.reason}", word="left out ", colour="yellow")
    if outlined.frame.empty:
        raise BadInputError(
            f"--truth: no mask in {folder} has a pixel of a mine (value 1); masks with other values go in with "
            "`minemap reference add-masks NAME FOLDER --value N`"
        )
    name = name_from(folder.name, "_")
    path = scratch / f"{name}.parquet"
    write_geoparquet(outlined.frame, path)
    return KnownMines(name, path, tuple(outlined.frame.geometry), masks=True)


def name_from(text: str, joint: str) -> str:
    """A name from a file's name or a title: lower-case letters, digits and the joint."""
    name = re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint)[:50].strip(joint)
    if not name or (joint == "_" and not name[0].isalpha()):
        name = f"mines{joint}{name}".strip(joint)
    return name
