"""Registering a reference file: looked at with the eyes of the run that will work with it, copied, and described.

What a run would refuse is refused here, before anything is written.
"""

import json
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import geopandas as gpd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.inputs import Change as InputChange
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.lake.workspaces import workspace
from minemap_assets.reference.boundaries import check_countries, compare_countries, country_table
from minemap_assets.reference.catalogue import (
    CATALOGUE_PATH,
    COLUMNS,
    FOLDER,
    KNOWN_LAYERS,
    NAME,
    OWN_ASSET,
    Catalogue,
    Kind,
    ReferenceEntry,
    Role,
    catalogue_in,
    parse_catalogue,
    read_catalogue,
    read_entry,
)
from minemap_assets.reference.points import check_points
from minemap_assets.reference.polygon_sets import check_polygons

Change = Literal["added", "unchanged", "replaced", "described"]

FIRST_REFERENCE_YEAR = 2000
"""The images begin in 2015: what a much earlier year shows are other mines."""

_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".sbn", ".sbx", ".qix", ".shp.xml")
_AREAL = {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON, shapely.GeometryType.GEOMETRYCOLLECTION}
_PUNCTUAL = {shapely.GeometryType.POINT}


@dataclass(frozen=True)
class Registration:
    """What registering did: the entry as it now stands, one sentence, and what a person should know of the file."""

    entry: ReferenceEntry
    change: Change
    sentence: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Looked:
    """What was found in a file."""

    features: int
    notes: tuple[str, ...]


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
    the entry, into whatever the catalogue is at that moment. Raises `BadInputError`, also for what a run would not
    understand: countries without codes or names, points without labels, polygons without an area.
    """
    before = read_catalogue(store)
    check_name(before, name, kind, reserved)
    if not licence.strip():
        raise BadInputError(f"{name} has no licence; give the one its authors chose, or 'unknown'")
    if role is not None and kind != "polygons":
        raise BadInputError(f"{name} is a file of {kind}, which has no role; leave the role out")
    _check_year(name, reference_year)
    looked = _look(source, kind, layer, crs, columns or {}, reference_year)
    _check_count(source, name, looked.features, expected_features)
    with store.writing(), workspace(store.staging()) as folder:
        local = single_file(source, folder)
        checksum = file_sha256(local)
        entry = ReferenceEntry(
            name=name,
            kind=kind,
            role=role or "labels",
            file=f"{FOLDER}/{name}/{checksum[:12]}/{local.name}",
            sha256=checksum,
            bytes=local.stat().st_size,
            features=looked.features,
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
    notes = (*looked.notes, *_other_borders(store, before.find(name), entry))
    return told(enter(store, entry, reserved), entry, notes)


def _other_borders(store: Store, known: ReferenceEntry | None, entry: ReferenceEntry) -> tuple[str, ...]:
    """What country boundaries change that come in the place of others."""
    if known is None or entry.kind != "boundaries" or known.sha256 == entry.sha256:
        return ()
    try:
        tables = [country_table(read_entry(one, store), columns=one.columns) for one in (known, entry)]
    except BadInputError as error:
        return (f"what changes against the file before cannot be told: {error}",)
    return compare_countries(*tables).notes()


def withdraw(store: Store, name: str) -> Catalogue:
    """Take an entry out of the catalogue; its file stays in the lake. Raises `BadInputError` for an unknown name."""
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes:
        catalogue = catalogue_in(inputs, data, store.root)
        if catalogue.find(name) is None:
            names = ", ".join(e.name for e in catalogue.entries) or "none"
            raise BadInputError(f"nothing is registered as {name}; registered are {names}")
        return _bytes_of([e for e in catalogue.entries if e.name != name])

    change = inputs.change(CATALOGUE_PATH, edit)
    _sweep(store, inputs, change)
    return parse_catalogue(change.after, store.root)


def enter(store: Store, entry: ReferenceEntry, reserved: Collection[str]) -> ReferenceEntry | None:
    """Put an entry into the catalogue as it is now; returns the entry of that name before."""
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes | None:
        catalogue = catalogue_in(inputs, data, store.root)
        check_name(catalogue, entry.name, entry.kind, reserved)
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
        return {file for entry in parse_catalogue(data, "").entries for file in entry.files}
    except BadInputError:
        return set()


def _check_count(source: Path, name: str, features: int, expected: int | None) -> None:
    if expected is not None and features != expected:
        raise BadInputError(
            f"{source} holds {features:,} features where {name} has {expected:,}; it is not the whole file or another "
            "version of it: fetch it again, or register it as it is with `minemap reference add`"
        )


def check_name(catalogue: Catalogue, name: str, kind: Kind, reserved: Collection[str]) -> None:
    """Raises `BadInputError` for a name that an entry of the kind may not have."""
    if not NAME.fullmatch(name):
        raise BadInputError(f"{name!r} cannot name a reference file; use lower-case letters, digits and underscores")
    own = OWN_ASSET.get(kind)
    if own is not None and name != own:
        raise BadInputError(f"{_in_words(kind)} are always registered as {own}; use that name")
    if name in {*reserved, *OWN_ASSET.values()} and name != own:
        raise BadInputError(f"{name} is the name of another asset; choose another name")
    known = catalogue.find(name)
    if known is not None and known.kind != kind:
        raise BadInputError(f"{name} is registered as {known.kind}, not {kind}; choose another name")


def _check_year(name: str, year: int | None) -> None:
    now = datetime.now(UTC).year
    if year is not None and not FIRST_REFERENCE_YEAR <= year <= now:
        raise BadInputError(
            f"{name} cannot be of the reference year {year}; give the year that it describes, from "
            f"{FIRST_REFERENCE_YEAR} to {now}, or none"
        )


def _look(
    source: Path, kind: Kind, layer: str | None, crs: str | None, columns: Mapping[str, str], year: int | None
) -> _Looked:
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
    try:
        return _Looked(len(frame), _check_content(frame, kind, columns, year))
    except BadInputError as error:
        raise BadInputError(f"{source}: {error}") from error


def _check_content(
    frame: gpd.GeoDataFrame, kind: Kind, columns: Mapping[str, str], year: int | None
) -> tuple[str, ...]:
    """What a person should know of a file whose columns and geometries are of the right kind."""
    if kind == "points":
        return check_points(frame, columns=columns, reference_year=year)
    return check_countries(frame, columns=columns) if kind == "boundaries" else check_polygons(frame)


def _in_words(kind: Kind) -> str:
    own = {"boundaries": "country boundaries", "points": "validation points", "series": "series"}
    return own.get(kind, "polygon sets")


def single_file(source: Path, folder: Path) -> Path:
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


def told(known: ReferenceEntry | None, entry: ReferenceEntry, notes: tuple[str, ...]) -> Registration:
    """What entering did, by the entry of that name before."""
    count = f"{entry.features:,} features, {entry.bytes:,} bytes"
    if known is None:
        return Registration(entry, "added", f"{entry.name} is registered ({count})", notes)
    if known == entry:
        return Registration(entry, "unchanged", f"{entry.name} is registered already, nothing changed ({count})", notes)
    if known.sha256 != entry.sha256:
        was = f"{known.features:,} features, {known.bytes:,} bytes"
        return Registration(entry, "replaced", f"{entry.name} holds another file now: {count}, before {was}", notes)
    changed = ", ".join(f for f in ReferenceEntry.model_fields if getattr(known, f) != getattr(entry, f))
    return Registration(entry, "described", f"{entry.name} keeps its file; changed: {changed}", notes)
