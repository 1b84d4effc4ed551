"""The catalogue of reference files: what was registered, from where, under which licence, and its checksum.

Files are kept byte for byte as they were given, under `inputs/reference/<name>/<start of checksum>/`, so that a file
that replaces another never overwrites it while somebody reads. One that was replaced stays as long as a version of the
catalogue names it, so that every version can be brought back. A Shapefile, which is several files, is kept as one
uncompressed zip archive with fixed dates (`<stem>.shp.zip`), the same bytes for the same parts.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import geopandas as gpd
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.input_history import is_below
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.project.settings import StrictModel

Kind = Literal["polygons", "boundaries", "points", "series"]
Role = Literal["labels", "outlines"]

FOLDER = "inputs/reference"
CATALOGUE_PATH = f"{FOLDER}/catalogue.json"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "polygons": ("id", "group"),
    "boundaries": ("iso3", "name", "continent"),
    "points": ("point_id", "year", "label", "stratum", "stratum_area", "weight"),
    "series": ("id", "year"),
}
"""Our columns that may be mapped to the file's, for each kind."""

KNOWN_LAYERS: Mapping[str, tuple[str, ...]] = {"boundaries": ("countries",)}
"""Layers taken without being named, for each kind."""

OWN_ASSET: Mapping[str, str] = {"boundaries": "country_boundaries", "points": "validation_points"}
"""Kinds of which there is one file, and the asset it becomes."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""What an entry may be called."""


class SeriesFile(StrictModel):
    """One file of a series. `years` are those it has polygons of, each with the values of the year column that mean it;
    none where the whole file is of that year.
    """

    file: str
    sha256: str
    bytes: int
    features: int
    years: dict[int, tuple[str | int | float, ...]]


class SeriesFacts(StrictModel):
    """What a series of yearly polygons is: its files, and what is to be done to them (`SeriesRules`)."""

    files: tuple[SeriesFile, ...]
    rule: Literal["intersect", "none"] = "intersect"
    window: int = Field(1, ge=1, le=5)
    buffer_m: float = Field(0.0, ge=0.0, le=5_000.0)
    holes: Literal["small", "all", "none"] = "all"
    min_hole_km2: float = Field(0.01, ge=0.0, le=1e6)

    @property
    def years(self) -> tuple[int, ...]:
        """The years it has polygons of."""
        return tuple(sorted({year for file in self.files for year in file.years}))


class ReferenceEntry(StrictModel):
    """One registered file. `columns` maps our column names to the file's; `crs` overrides what the file says.

    `role` matters for polygons only: labels count as ground truth and locate sites, outlines only locate sites. A
    `series` may have several files, of which `file` is the first, `bytes` the sum, and `sha256` the hash of all hashes.
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
    series: SeriesFacts | None = None

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 of every file, by its place in the lake."""
        if self.series is None:
            return {self.file: self.sha256}
        return {one.file: one.sha256 for one in self.series.files}

    @model_serializer(mode="wrap")
    def _without_series(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Entries that are no series are written as they always were: what was made from them stays current."""
        plain: dict[str, Any] = handler(self)
        if self.series is None:
            del plain["series"]
        return plain


class Catalogue(StrictModel):
    """All entries, sorted by name."""

    entries: tuple[ReferenceEntry, ...] = ()

    def find(self, name: str) -> ReferenceEntry | None:
        """The entry of that name; None where there is none."""
        return next((e for e in self.entries if e.name == name), None)


def read_catalogue(store: Store) -> Catalogue:
    """The catalogue as it is now; empty where nothing was registered. Raises `BadInputError` where it is damaged, or is
    gone though nobody removed it on purpose.
    """
    inputs = Inputs(store)
    return catalogue_in(inputs, inputs.read(CATALOGUE_PATH), store.root)


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
        if not NAME.fullmatch(entry.name):
            raise BadInputError(
                f"{root}/{CATALOGUE_PATH} holds an entry named {entry.name!r}; correct it there to lower-case letters, "
                "digits and underscores, a letter first"
            )
        for file in (entry.file, *entry.files):
            if not is_below(file, FOLDER):
                raise BadInputError(
                    f"{root}/{CATALOGUE_PATH} says that {entry.name} lies at {file!r}, which is not below {FOLDER}/; "
                    "correct it there or register the file again"
                )
    names = [entry.name for entry in catalogue.entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInputError(f"{root}/{CATALOGUE_PATH} holds the name {twice} twice; keep one of the entries")
    return catalogue


def catalogue_in(inputs: Inputs, data: bytes | None, root: str) -> Catalogue:
    """Like `parse_catalogue`; the error also names the last good version."""
    with inputs.reading(CATALOGUE_PATH, data):
        return parse_catalogue(data, root)


def read_entry(entry: ReferenceEntry, store: Store) -> gpd.GeoDataFrame:
    """All features of a registered file in EPSG:4326. Raises `BadInputError` where the file changed or went missing."""
    damage = entry_damage(entry, store)
    if damage is not None:
        raise BadInputError(damage)
    path = store.fetch(entry.file)
    return read_vector(path, layer=entry.layer, crs=entry.crs, known_layers=KNOWN_LAYERS.get(entry.kind, ()))


def entry_damage(entry: ReferenceEntry, store: Store) -> str | None:
    """One sentence where a registered file is gone, or not the one that was registered; None where it is whole."""
    for file, checksum in entry.files.items():
        try:
            path = store.fetch(file)
        except NotFoundError:
            return f"{store.root}/{file} is gone; register {entry.name} again"
        if file_sha256(path) != checksum:
            return f"{path} is not the file that was registered (its checksum differs); register {entry.name} again"
    return None
