"""The catalogue of reference files: what was registered, from where, under which licence, and its checksum.

Files are kept byte for byte as they were given, under `inputs/reference/<name>/<start of checksum>/`, so that a file
that replaces another never overwrites it while somebody reads. One that was replaced stays as long as a version of the
catalogue names it, so that every version can be brought back. A Shapefile, which is several files, is kept as one
uncompressed zip archive with fixed dates (`<stem>.shp.zip`), the same bytes for the same parts.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import geopandas as gpd
import shapely
from pydantic import Field, ValidationError

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.input_history import is_below
from minemap_assets.lake.inputs import Change as InputChange
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.project.settings import StrictModel

Kind = Literal["polygons", "boundaries", "points"]
Role = Literal["labels", "outlines"]
Change = Literal["added", "unchanged", "replaced", "described"]

FOLDER = "inputs/reference"
CATALOGUE_PATH = f"{FOLDER}/catalogue.json"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "polygons": ("id", "group"),
    "boundaries": ("iso3", "name", "continent"),
    "points": ("point_id", "year", "label"),
}
"""Our columns that may be mapped to the file's, for each kind."""

KNOWN_LAYERS: Mapping[str, tuple[str, ...]] = {"boundaries": ("countries",)}
"""Layers taken without being named, for each kind."""

OWN_ASSET: Mapping[str, str] = {"boundaries": "country_boundaries", "points": "validation_points"}
"""Kinds of which there is one file, and the asset it becomes."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".sbn", ".sbx", ".qix", ".shp.xml")
_AREAL = {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON, shapely.GeometryType.GEOMETRYCOLLECTION}
_PUNCTUAL = {shapely.GeometryType.POINT}


class ReferenceEntry(StrictModel):
    """One registered file. `columns` maps our column names to the file's; `crs` overrides what the file says.

    `role` matters for polygons only: labels count as ground truth and locate sites, outlines only locate sites.
    """

    name: str
    kind: Kind
    role: Role = "labels"
    file: str
    sha256: str
    bytes: int
    features: int
    licence: str
    citation: str = ""
    source: str = ""
    reference_year: int | None = None
    layer: str | None = None
    crs: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)


class Catalogue(StrictModel):
    """All entries, sorted by name."""

    entries: tuple[ReferenceEntry, ...] = ()

    def find(self, name: str) -> ReferenceEntry | None:
        """The entry of that name; None where there is none."""
        return next((e for e in self.entries if e.name == name), None)


@dataclass(frozen=True)
class Registration:
    """What registering did: the entry as it now stands, and one sentence."""

    entry: ReferenceEntry
    change: Change
    sentence: str


def read_catalogue(store: Store) -> Catalogue:
    """The catalogue as it is now; empty where nothing was registered. Raises `BadInputError` where it is damaged, or is
    gone though nobody removed it on purpose.
    """
    inputs = Inputs(store)
    return _parsed(inputs, inputs.read(CATALOGUE_PATH), store.root)


def parse_catalogue(data: bytes | None, root: str) -> Catalogue:
    """A catalogue from its bytes; `root` is the lake, for messages.

    Raises `BadInputError` where it is damaged, or names what is not of the project.
    """
    try:
        catalogue = Catalogue() if data is None else Catalogue.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{root}/{CATALOGUE_PATH} cannot be read; restore an earlier version or register the files again"
        ) from error
    for entry in catalogue.entries:
        if not _NAME.fullmatch(entry.name):
            raise BadInputError(
                f"{root}/{CATALOGUE_PATH} holds an entry named {entry.name!r}; correct it there to lower-case letters, "
                "digits and underscores, a letter first"
            )
        if not is_below(entry.file, FOLDER):
            raise BadInputError(
                f"{root}/{CATALOGUE_PATH} says that {entry.name} lies at {entry.file!r}, which is not below {FOLDER}/; "
                "correct it there or register the file again"
            )
    names = [entry.name for entry in catalogue.entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInputError(f"{root}/{CATALOGUE_PATH} holds the name {twice} twice; keep one of the entries")
    return catalogue


def _parsed(inputs: Inputs, data: bytes | None, root: str) -> Catalogue:
    with inputs.reading(CATALOGUE_PATH, data):
        return parse_catalogue(data, root)


def register(
    store: Store,
    source: Path,
    *,
    name: str,
    kind: Kind,
    licence: str,
    role: Role | None = None,
    citation: str = "",
    origin: str = "",
    reference_year: int | None = None,
    layer: str | None = None,
    crs: str | None = None,
    columns: Mapping[str, str] | None = None,
    expected_features: int | None = None,
    reserved: Collection[str] = (),
) -> Registration:
    """Check a vector file, copy it into the lake and describe it in the catalogue.

    `origin` says where the file came from (an address, a DOI). `licence` is mandatory: `unknown` must be said. Polygons
    have the role `labels` unless told otherwise. Registering the same again does nothing; another file under the same
    name replaces the entry. `expected_features` is how many there are where that is known. The file comes first, then
    the entry, into whatever the catalogue is at that moment. Raises `BadInputError`.
    """
    _check_name(read_catalogue(store), name, kind, reserved)
    if not licence.strip():
        raise BadInputError(f"{name} has no licence; give the one its authors chose, or 'unknown'")
    if role is not None and kind != "polygons":
        raise BadInputError(f"{name} is a file of {kind}, which has no role; leave the role out")
    features = _checked_features(source, kind, layer, crs, columns or {})
    _check_count(source, name, features, expected_features)
    with store.writing(), workspace(store.staging()) as folder:
        local = _single_file(source, folder)
        checksum = file_sha256(local)
        entry = ReferenceEntry(
            name=name,
            kind=kind,
            role=role or "labels",
            file=f"{FOLDER}/{name}/{checksum[:12]}/{local.name}",
            sha256=checksum,
            bytes=local.stat().st_size,
            features=features,
            licence=licence.strip(),
            citation=citation,
            source=origin,
            reference_year=reference_year,
            layer=layer,
            crs=crs,
            columns=dict(sorted((columns or {}).items())),
        )
        if store.size(entry.file) != entry.bytes or file_sha256(store.fetch(entry.file)) != checksum:
            store.put(local, entry.file)
    return _registration(_enter(store, entry, reserved), entry)


def _enter(store: Store, entry: ReferenceEntry, reserved: Collection[str]) -> ReferenceEntry | None:
    """Put an entry into the catalogue as it is now; returns the entry of that name before."""
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes | None:
        catalogue = _parsed(inputs, data, store.root)
        _check_name(catalogue, entry.name, entry.kind, reserved)
        if catalogue.find(entry.name) == entry:
            return data
        return _bytes_of([e for e in catalogue.entries if e.name != entry.name] + [entry])

    change = inputs.change(CATALOGUE_PATH, edit)
    _sweep(store, inputs, change)
    return parse_catalogue(change.before, store.root).find(entry.name)


def _sweep(store: Store, inputs: Inputs, change: InputChange) -> None:
    """Remove files that only versions of the catalogue named which are no longer kept."""
    if not change.dropped:
        return
    kept = [inputs.bytes_of(CATALOGUE_PATH, v) for v in inputs.versions(CATALOGUE_PATH) if not v.removed]
    named = {file for data in (*kept, inputs.read(CATALOGUE_PATH)) for file in _files_of(data)}
    for file in sorted({file for data in change.dropped for file in _files_of(data)} - named):
        store.delete(file)


def _files_of(data: bytes | None) -> set[str]:
    """Files that a version of the catalogue names, one of an older minemap or of a person too."""
    try:
        return {entry.file for entry in parse_catalogue(data, "").entries}
    except BadInputError:
        return set()


def _check_count(source: Path, name: str, features: int, expected: int | None) -> None:
    if expected is not None and features != expected:
        raise BadInputError(
            f"{source} holds {features:,} features where {name} has {expected:,}; it is not the whole file or another "
            "version of it: fetch it again, or register it as it is with `minemap reference add`"
        )


def withdraw(store: Store, name: str) -> Catalogue:
    """Take an entry out of the catalogue; its file stays in the lake. Raises `BadInputError` for an unknown name."""
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes:
        catalogue = _parsed(inputs, data, store.root)
        if catalogue.find(name) is None:
            names = ", ".join(e.name for e in catalogue.entries) or "none"
            raise BadInputError(f"nothing is registered as {name}; registered are {names}")
        return _bytes_of([e for e in catalogue.entries if e.name != name])

    change = inputs.change(CATALOGUE_PATH, edit)
    _sweep(store, inputs, change)
    return parse_catalogue(change.after, store.root)


def read_entry(entry: ReferenceEntry, store: Store) -> gpd.GeoDataFrame:
    """All features of a registered file in EPSG:4326. Raises `BadInputError` where the file changed or went missing."""
    damage = entry_damage(entry, store)
    if damage is not None:
        raise BadInputError(damage)
    path = store.fetch(entry.file)
    return read_vector(path, layer=entry.layer, crs=entry.crs, known_layers=KNOWN_LAYERS.get(entry.kind, ()))


def entry_damage(entry: ReferenceEntry, store: Store) -> str | None:
    """One sentence where a registered file is gone, or not the one that was registered; None where it is whole."""
    try:
        path = store.fetch(entry.file)
    except NotFoundError:
        return f"{store.root}/{entry.file} is gone; register {entry.name} again"
    if file_sha256(path) != entry.sha256:
        return f"{path} is not the file that was registered (its checksum differs); register {entry.name} again"
    return None


def _check_name(catalogue: Catalogue, name: str, kind: Kind, reserved: Collection[str]) -> None:
    if not _NAME.fullmatch(name):
        raise BadInputError(f"{name!r} cannot name a reference file; use lower-case letters, digits and underscores")
    own = OWN_ASSET.get(kind)
    if own is not None and name != own:
        raise BadInputError(f"{_in_words(kind)} are always registered as {own}; use that name")
    if name in {*reserved, *OWN_ASSET.values()} and name != own:
        raise BadInputError(f"{name} is the name of another asset; choose another name")
    known = catalogue.find(name)
    if known is not None and known.kind != kind:
        raise BadInputError(f"{name} is registered as {known.kind}, not {kind}; choose another name")


def _checked_features(source: Path, kind: Kind, layer: str | None, crs: str | None, columns: Mapping[str, str]) -> int:
    unknown = sorted(set(columns) - set(COLUMNS[kind]))
    if unknown:
        raise BadInputError(
            f"{kind} have no column {', '.join(unknown)}; the ones that can be set are {', '.join(COLUMNS[kind])}"
        )
    frame = read_vector(source, layer=layer, crs=crs, known_layers=KNOWN_LAYERS.get(kind, ()))
    absent = sorted(c for c in columns.values() if c not in frame.columns)
    if absent:
        has = ", ".join(str(c) for c in frame.columns if c != frame.geometry.name) or "none"
        raise BadInputError(f"{source} has no column {', '.join(absent)}; it has {has}")
    wanted, noun = (_PUNCTUAL, "point") if kind == "points" else (_AREAL, "polygon")
    types = {int(t) for t in shapely.get_type_id(frame.geometry.array)}
    if not types & wanted:
        raise BadInputError(f"{source} holds no {noun}, which {_in_words(kind)} need; give another file or layer")
    return len(frame)


def _in_words(kind: Kind) -> str:
    return {"polygons": "polygon sets", "boundaries": "country boundaries", "points": "validation points"}[kind]


def _single_file(source: Path, folder: Path) -> Path:
    """The file itself copied, or the parts of a Shapefile in one archive."""
    if source.suffix.lower() != ".shp":
        target = folder / source.name
        shutil.copyfile(source, target)
        return target
    target = folder / f"{source.stem}.shp.zip"
    parts = {p.name[len(source.stem) :].lower(): p for p in source.parent.iterdir() if p.name.startswith(source.stem)}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for suffix in _SHAPEFILE_PARTS:
            if suffix in parts:
                info = zipfile.ZipInfo(f"{source.stem}{suffix}", date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(info, parts[suffix].read_bytes())
    return target


def _bytes_of(entries: list[ReferenceEntry]) -> bytes:
    catalogue = Catalogue(entries=tuple(sorted(entries, key=lambda e: e.name)))
    text = json.dumps(catalogue.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def _registration(known: ReferenceEntry | None, entry: ReferenceEntry) -> Registration:
    count = f"{entry.features:,} features, {entry.bytes:,} bytes"
    if known is None:
        return Registration(entry, "added", f"{entry.name} is registered ({count})")
    if known == entry:
        return Registration(entry, "unchanged", f"{entry.name} is registered already, nothing changed ({count})")
    if known.sha256 != entry.sha256:
        was = f"{known.features:,} features, {known.bytes:,} bytes"
        return Registration(entry, "replaced", f"{entry.name} holds another file now: {count}, before {was}")
    changed = ", ".join(f for f in ReferenceEntry.model_fields if getattr(known, f) != getattr(entry, f))
    return Registration(entry, "described", f"{entry.name} keeps its file; changed: {changed}")
