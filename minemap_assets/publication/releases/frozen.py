"""Frozen releases: a folder each under `releases/` of the lake, numbered from 1, whole, checksummed, never changed.

`release.json` is written last, and only where there is none: a folder without it is what an interrupted command left.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
from pydantic import ValidationError

from minemap_assets.errors import BadInputError, ConflictError, NotFoundError
from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.lake.manifests import digest, file_sha256
from minemap_assets.lake.store import Patience, Store, read_if_there
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, parse_corrections
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel
from minemap_assets.publication.releases.lineage import KEPT, lineage_bytes, parse_lineage, partitions_of
from minemap_assets.publication.releases.published import Published

RELEASES = "releases"
"""Folder of the lake."""

NOW = "now"
"""How the present state is called."""

_CARD, _LINEAGE, _REGIONS = "release.json", "lineage.json", "regions.parquet"
_SEAL = "seal"
_WAIT = 60.0


class FrozenFile(StrictModel):
    """One file of a release: its path below the release's folder, its size and checksum."""

    path: str
    bytes: int
    sha256: str


class Release(StrictModel):
    """What a release is: its number and name, who froze it, when (ISO 8601, UTC) and why; the model in use then with
    its verdict (empty without one), polygons and mapped square kilometres by year, and its files.
    """

    layout: int = 1
    number: int
    name: str = ""
    by: str
    at: str
    reason: str
    model_version: str = ""
    model_verdict: str = ""
    polygons: dict[int, int]
    km2: dict[int, float]
    files: tuple[FrozenFile, ...] = ()

    @property
    def label(self) -> str:
        """How people call it."""
        return f"{self.number} ({self.name})" if self.name else str(self.number)

    @property
    def folder(self) -> str:
        """Where it lies in the lake."""
        return f"{RELEASES}/{self.number}"


@dataclass(frozen=True)
class Decision:
    """Who freezes a release, when (ISO 8601, UTC), why, and under which name (may be empty)."""

    by: str
    at: str
    reason: str
    name: str = ""


def releases(store: Store) -> tuple[Release, ...]:
    """All releases by number. Raises `BadInputError` where one cannot be read."""
    cards = [path for path in store.list(RELEASES) if is_card(path)]
    return tuple(sorted((read_card(store, path) for path in cards), key=lambda one: one.number))


def card_path(folder: str) -> str:
    """Where the file lies that makes a folder a release."""
    return f"{folder}/{_CARD}"


def is_card(path: str) -> bool:
    """Whether a path of the lake is that of the file which makes a folder a release."""
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == RELEASES and parts[2] == _CARD


def _numbers(store: Store) -> set[int]:
    """Numbers of folders in which anything lies, whole release or not."""
    names = {path.split("/")[1] for path in store.list(RELEASES) if path.count("/") > 1}
    return {int(name) for name in names if name.isdigit()}


def find(store: Store, name: str) -> Release:
    """The release of a number or a name. Raises `BadInputError` where there is none."""
    every = releases(store)
    found = next((one for one in every if name in (str(one.number), one.name)), None)
    if found is None and not every:
        raise BadInputError("nothing was frozen yet; `minemap release freeze --reason ...` freezes the first release")
    if found is None:
        known = ", ".join(one.label for one in every)
        raise BadInputError(
            f"there is no release {name!r}; there are {known}, and {NOW!r} for what there is at present"
        )
    return found


def freeze(project: Project, published: Published, decision: Decision, card: Mapping[str, Any]) -> Release:
    """Copy what is published into the next release; `card` is what else its card says of it.

    Raises `BadInputError` for a reason or name that will not do, and `ConflictError` where somebody else froze one in
    the same moment.
    """
    store = project.lake.store
    with store.claim(RELEASES, Patience(_WAIT)) as folder:
        every = releases(store)
        _check(decision, every)
        number = max((one.number for one in every), default=0) + 1
        # what lies in a folder without its card may be a release that somebody cited, so its number is not given again
        number = max([number, *(taken + 1 for taken in _numbers(store))])
        said = {"by": decision.by, "at": decision.at, "reason": decision.reason, "name": decision.name}
        release = Release(number=number, **said, **card)
        files = [*_tables(project, release, published), *_own_files(project, release, published, folder)]
        whole = release.model_copy(update={"files": tuple(sorted(files, key=lambda one: one.path))})
        try:
            store.write_if(card_path(whole.folder), card_bytes(whole), None)
        except ConflictError as error:
            raise ConflictError(f"release {number} was frozen by somebody else meanwhile; run this again") from error
    return whole


def opened(project: Project, release: Release) -> Published:
    """What a release keeps. Files are checked as they are read: `BadInputError` where one is not as it was frozen."""
    store = project.lake.store
    kept = {one.path: one for one in release.files}

    def path(name: str) -> Path:
        return _whole(store, release, kept[name])

    corrections = path(CORRECTIONS_PATH).read_bytes() if CORRECTIONS_PATH in kept else None
    outlines = read_geoparquet(path(_REGIONS))
    return Published(
        label=release.label,
        lineage=parse_lineage(path(_LINEAGE).read_bytes()),
        corrections=parse_corrections(corrections, f"{store.root}/{release.folder}/{CORRECTIONS_PATH}"),
        regions=dict(zip(outlines["region"], outlines.geometry, strict=True)),
        file=lambda table, year, name: path(f"tables/{table}/{year}/{name}"),
    )


def _check(decision: Decision, every: tuple[Release, ...]) -> None:
    if not decision.reason.strip():
        raise BadInputError("a release needs a reason, which stands in its record; give one with --reason")
    name = decision.name
    allowed = all(letter.isalnum() or letter in "._-" for letter in name) and len(name) <= 40
    if name and (not allowed or name.isdigit() or name == NOW):
        raise BadInputError(
            f"a release cannot be called {name!r}; a name has at most 40 letters, digits, dots and hyphens, and is "
            f"neither a number nor {NOW!r}"
        )
    taken = next((one for one in every if name and one.name == name), None)
    if taken is not None:
        raise BadInputError(f"release {taken.number} is called {name!r} already; give another name")


def _tables(project: Project, release: Release, published: Published) -> list[FrozenFile]:
    """The tables' files under the paths they have in the lake, each read back."""
    found = []
    for asset in KEPT:
        for keys in partitions_of(published.lineage, asset.name):
            partition = project.lake.open(asset.ref(keys))
            for stored in partition.manifest.files:
                partition.file(stored.name)
                path = f"{asset.ref(keys).prefix}/{stored.name}"
                project.lake.store.copy(f"{asset.ref(keys).prefix}/{stored.path}", f"{release.folder}/{path}")
                kept = FrozenFile(path=path, bytes=stored.bytes, sha256=stored.sha256)
                _whole(project.lake.store, release, kept)
                found.append(kept)
    return found


def _own_files(project: Project, release: Release, published: Published, folder: Path) -> list[FrozenFile]:
    """What else a comparison needs: what all was made from, outlines of regions, corrections."""
    outlines = gpd.GeoDataFrame(
        {"region": list(published.regions)}, geometry=list(published.regions.values()), crs=WGS84
    )
    with tempfile.TemporaryDirectory(dir=folder) as name:
        write_geoparquet(outlines, Path(name, _REGIONS))
        contents = {_REGIONS: Path(name, _REGIONS).read_bytes(), _LINEAGE: lineage_bytes(published.lineage)}
    corrections = project.input(CORRECTIONS_PATH)
    if corrections is not None:
        contents[CORRECTIONS_PATH] = corrections
    found = []
    for path, data in contents.items():
        project.lake.store.write_bytes(f"{release.folder}/{path}", data)
        local = project.lake.store.fetch(f"{release.folder}/{path}")
        found.append(FrozenFile(path=path, bytes=len(data), sha256=file_sha256(local)))
    return found


def _whole(store: Store, release: Release, kept: FrozenFile) -> Path:
    """A local path of a file of a release. Raises `BadInputError` where it is not as it was frozen."""
    where = f"{release.folder}/{kept.path}"
    try:
        local = store.fetch(where)
    except NotFoundError as error:
        raise BadInputError(
            f"release {release.label} is damaged: {store.root}/{where} is gone; restore it from a backup"
        ) from error
    if file_sha256(local) != kept.sha256:
        store.forget(where)
        what = f"{store.root}/{where} is not as it was frozen"
        raise BadInputError(f"release {release.label} is damaged: {what}; restore it from a backup")
    return local


def card_bytes(release: Release) -> bytes:
    """The card of a release, sealed so that a change of it is noticed."""
    raw = release.model_dump(mode="json")
    return f"{json.dumps(raw | {_SEAL: digest(raw)}, indent=1, sort_keys=True)}\n".encode()


def read_card(store: Store, path: str) -> Release:
    """A release from its card. Raises `BadInputError` where that is not as it was written."""
    try:
        raw = json.loads(read_if_there(store, path) or b"")
        seal = raw.pop(_SEAL)
        release = Release.model_validate_json(json.dumps(raw))
        if seal != digest(raw):
            raise ValueError("not as it was written")
    except (ValueError, KeyError, AttributeError, TypeError, ValidationError) as error:
        raise BadInputError(f"{store.root}/{path} is not as it was frozen; restore it from a backup") from error
    return release
