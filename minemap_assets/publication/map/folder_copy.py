"""Copying the map's folder to where it is published, without pictures that may not be passed on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minemap_assets.errors import BadInputError
from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.folder_swap import copy_file, put_folder
from minemap_assets.publication.map.building import MAP_JSON, SITES_JSON
from minemap_assets.publication.map.json_files import write_json
from minemap_assets.publication.map.site_columns import picture_columns, years_of
from minemap_assets.publication.map.site_pictures import FOLDER

LEFT_OUT = "Pictures whose terms forbid passing their pixels on are not in this copy."


@dataclass(frozen=True)
class FolderCopy:
    """How many files were written, their bytes, and the pictures that were left out."""

    files: int
    bytes: int
    left_out: int


def copy_folder(partition: Partition, to: Path, *, restricted: bool) -> FolderCopy:
    """Write the folder of a made map to `to`, in place of an earlier copy.

    With `restricted`, pictures that may not be passed on are in it. Raises `BadInputError` where `to` is something
    else than a map.
    """
    if to.exists() and not (to.is_dir() and ((to / MAP_JSON).is_file() or not any(to.iterdir()))):
        raise BadInputError(f"{to} exists and is no copy of a map; name another folder, or an empty one")
    kept = [] if restricted else _restricted(partition)

    def write(new: Path) -> None:
        for file in partition.names():
            if file not in kept:
                copy_file(partition.file(file), new, file)
        if kept:
            _tell(new, frozenset(kept))

    put_folder(to, write)
    files = [path for path in to.rglob("*") if path.is_file()]
    return FolderCopy(len(files), sum(path.stat().st_size for path in files), len(kept))


def _restricted(partition: Partition) -> list[str]:
    sites = _read(partition.file(SITES_JSON))
    years = zip(sites["id"], years_of(sites, "restricted"), strict=True)
    return [_picture(site, year) for site, some in years for year in some]


def _tell(folder: Path, left_out: frozenset[str]) -> None:
    """Have the copy know of no picture that it does not hold, and say so."""
    sites = _read(folder / SITES_JSON)
    pictures = [
        [year for year in years if _picture(site, year) not in left_out]
        for site, years in zip(sites["id"], years_of(sites, "pictures"), strict=True)
    ]
    write_json({**sites, **picture_columns(pictures, [()] * len(pictures))}, folder / SITES_JSON)
    page = _read(folder / MAP_JSON)
    note = " ".join(filter(None, (page["pictures"]["note"], LEFT_OUT)))
    write_json({**page, "pictures": {**page["pictures"], "note": note}}, folder / MAP_JSON)


def _picture(site_id: str, year: int) -> str:
    return f"{FOLDER}/{site_id}/{year}.webp"


def _read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
