"""Fetching a published data set: downloaded, compared with its checksum of before, counted and registered.

`inputs/reference/fetched.json` keeps, for every address, the checksum of what it gave the first time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.project.settings import StrictModel
from minemap_assets.reference.catalogue import FOLDER
from minemap_assets.reference.published_sets import Dataset
from minemap_assets.reference.registration import Registration, register

FETCHED_PATH = f"{FOLDER}/fetched.json"

Download = Callable[[str, Path], object]
"""Puts what an address gives at a path, whole or not at all. Raises the project's errors."""

_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_OPTIONAL = (".prj", ".cpg")


class FetchedFile(StrictModel):
    """What an address gave the first time."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Arrived:
    """One file of a data set; `before` is the checksum it had the first time, empty where this is it."""

    name: str
    address: str
    path: Path
    sha256: str
    bytes: int
    before: str


@dataclass(frozen=True)
class Fetch:
    """What fetching came to."""

    files: tuple[Arrived, ...]
    registration: Registration


def fetch_dataset(
    store: Store,
    dataset: Dataset,
    *,
    folder: Path,
    download: Download,
    place: str | None = None,
    licence: str | None = None,
    accept_change: bool = False,
) -> Fetch:
    """Fetch a data set into `folder`, compare it with what was fetched before, and register it.

    `place` is a local file or another address; `accept_change` takes a file that differs from before. What was
    registered stays as it is where anything is wrong. Raises `BadInputError` for a wrong place, checksum or number
    of features, and what `download` raises.
    """
    said = licence or dataset.licence
    if not said:
        raise BadInputError(f"the licence of {dataset.name} is not known; give it with --licence")
    files = _files(dataset, place)
    known = read_fetched(store)
    arrived = [_arrive(name, address, folder, download, known) for name, address in files.items()]
    kept = [one for one in arrived if one is not None]
    for one in kept:
        if one.before and one.before != one.sha256 and not accept_change:
            raise BadInputError(
                f"{one.address} gave another file than the first time (checksum {one.sha256[:12]}, then "
                f"{one.before[:12]}); find out why, and take it with --accept-change"
            )
    registration = register(
        store,
        kept[0].path,
        name=dataset.name,
        kind=dataset.kind,
        licence=said,
        role=dataset.role,
        citation=dataset.citation,
        origin=_origin(dataset, place),
        reference_year=dataset.reference_year,
        expected_features=dataset.features,
    )
    _remember(store, kept)
    return Fetch(tuple(kept), registration)


def read_fetched(store: Store) -> dict[str, FetchedFile]:
    """What every address gave the first time. Raises `BadInputError` where the record is damaged or lost."""
    inputs = Inputs(store)
    return _parsed(inputs, inputs.read(FETCHED_PATH), store)


def _parsed(inputs: Inputs, data: bytes | None, store: Store) -> dict[str, FetchedFile]:
    with inputs.reading(FETCHED_PATH, data):
        try:
            raw = {} if data is None else json.loads(data)
            return {str(address): FetchedFile.model_validate(file) for address, file in raw.items()}
        except (ValueError, AttributeError, ValidationError) as error:
            raise BadInputError(
                f"{store.root}/{FETCHED_PATH} cannot be read; restore an earlier version, or remove it to begin anew"
            ) from error


def is_address(place: str) -> bool:
    """True for what has to be downloaded."""
    return place.startswith(("https://", "http://"))


def _files(dataset: Dataset, place: str | None) -> dict[str, str]:
    """Addresses or local paths by the name each file is given."""
    if place is None:
        if not dataset.files:
            raise BadInputError(
                f"{dataset.name} has no address that could be relied upon; name a file or an address with --from"
            )
        return dict(dataset.files)
    name = unquote(PurePosixPath(urlsplit(place).path if is_address(place) else place).name)
    if not name:
        raise BadInputError(f"--from: {place!r} names no file; give the address of the file itself")
    if not is_address(place) or not name.lower().endswith(".shp"):
        return {name: place}
    parts = urlsplit(place)
    addresses = [parts._replace(path=f"{parts.path[:-4]}{suffix}").geturl() for suffix in _PARTS]
    return {f"{name[:-4]}{suffix}": address for suffix, address in zip(_PARTS, addresses, strict=True)}


def _arrive(
    name: str, address: str, folder: Path, download: Download, known: Mapping[str, FetchedFile]
) -> Arrived | None:
    """A file that has arrived; None for an optional part of a Shapefile that is not there."""
    path = folder / name
    if is_address(address):
        try:
            download(address, path)
        except NotFoundError:
            if path.suffix in _OPTIONAL:
                return None
            raise
    else:
        path = Path(address).expanduser()
        if not path.is_file():
            raise BadInputError(f"--from: {path} is no file; give the path of one file")
    before = known.get(address)
    return Arrived(name, address, path, file_sha256(path), path.stat().st_size, before.sha256 if before else "")


def _origin(dataset: Dataset, place: str | None) -> str:
    """The publisher's, for a file from elsewhere only where its count shows that it is the publisher's."""
    return dataset.origin if place is None or dataset.features is not None else place


def _remember(store: Store, arrived: list[Arrived]) -> None:
    inputs = Inputs(store)
    new = {a.address: FetchedFile(sha256=a.sha256, bytes=a.bytes) for a in arrived if is_address(a.address)}

    def edit(data: bytes | None) -> bytes | None:
        known = _parsed(inputs, data, store)
        merged = known | new
        if merged == known:
            return data
        plain = {address: file.model_dump() for address, file in merged.items()}
        return (json.dumps(plain, indent=1, sort_keys=True) + "\n").encode()

    inputs.change(FETCHED_PATH, edit)
