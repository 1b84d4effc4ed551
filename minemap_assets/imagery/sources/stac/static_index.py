"""STAC items in a stac-geoparquet file, for when there is no search service, or while it cannot be reached.

The columns are those of the stac-geoparquet specification 1.0: what an item has at its top, its properties beside
these, the outline as WKB, the box as a struct, and a column `assets` that has a field for each asset key of any item.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.net.client import Client

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

    from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
    from minemap_assets.imagery.sources.stac.services import Services

_TOP = ("type", "stac_version", "stac_extensions", "id", "links", "assets", "collection")
_NEEDED = ("id", "geometry", "bbox", "assets", "collection", "datetime")
_BOX = ("xmin", "ymin", "xmax", "ymax")
_BATCH = 512
"""Items in memory at a time: each has a few hundred values."""

FRESH_SECONDS = 86_400
"""A copy of an index from the web serves so long before it is fetched anew."""

Box = tuple[float, float, float, float]


def is_index(place: str) -> bool:
    """Whether a collection's endpoint is a file of items and no service."""
    return place.startswith("file://") or urlsplit(place).path.endswith(".parquet")


class StaticIndex:
    """Items of one file, found without any service. Safe from several threads."""

    def __init__(self, place: str, client: Client | None = None, folder: Path | None = None) -> None:
        """`place` is a path or a web address; one on the web is fetched through `client` to `folder`, when needed."""
        self._place = place
        self._client = client
        self._folder = folder
        self._lock = threading.Lock()

    def items(self, collection: str, box: Box, first: date, last: date) -> Iterator[dict[str, Any]]:
        """A collection's items that touch a box (degrees), from a first to a last day (UTC), both included.

        Raises `BadInputError` where the file is missing or not stac-geoparquet, and as `Client.download` does.
        """
        with self._readable():
            yield from self._items(collection, box, first, last)

    def count(self, collection: str) -> int:
        """How many items of a collection there are. Raises as `items` does."""
        import pyarrow.dataset as ds

        with self._readable():
            return int(self._rows().count_rows(filter=ds.field("collection") == collection))

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow as pa
        from shapely.errors import ShapelyError

        try:
            yield
        except (pa.ArrowException, ShapelyError, ValueError, OSError) as error:
            raise BadInputError(
                f"{self._place} cannot be read as stac-geoparquet ({str(error).splitlines()[0]}); write it anew, or "
                "correct static_index or the endpoint under [sources.stac]"
            ) from error

    def _rows(self) -> "pyarrow.dataset.Dataset":
        import pyarrow.dataset

        rows = pyarrow.dataset.dataset(str(self._local()), format="parquet")
        self._check(rows.schema)
        return rows

    def _items(self, collection: str, box: Box, first: date, last: date) -> Iterator[dict[str, Any]]:
        rows = self._rows()
        begin = datetime.combine(first, time_of_day(), UTC)
        end = datetime.combine(last + timedelta(days=1), time_of_day(), UTC)
        wanted = _filter(rows.schema, collection, box, begin, end)
        for batch in rows.to_batches(filter=wanted, batch_size=_BATCH):
            for row in batch.to_pylist():
                moment = row["datetime"] or row.get("start_datetime")
                if moment is not None and begin <= moment < end:
                    yield _item(row)

    def _check(self, schema: "pa.Schema") -> None:
        lacking = [name for name in _NEEDED if name not in schema.names]
        if lacking:
            raise BadInputError(
                f"{self._place} is no stac-geoparquet file: it has no column {', '.join(lacking)}; correct "
                "static_index or the endpoint under [sources.stac]"
            )

    def _local(self) -> Path:
        parts = urlsplit(self._place)
        if parts.scheme == "file":
            return self._found(Path(unquote(parts.path)))
        if parts.scheme not in ("http", "https"):
            return self._found(Path(self._place).expanduser())
        if self._client is None or self._folder is None:
            raise ValueError("an index on the web needs a client and a folder")
        with self._lock:
            copy = self._folder / "indexes" / f"{sha256(self._place.encode()).hexdigest()[:16]}.parquet"
            if not copy.exists() or time.time() - copy.stat().st_mtime > FRESH_SECONDS:
                self._fetch(copy)
            return copy

    def _fetch(self, copy: Path) -> None:
        assert self._client is not None
        try:
            self._client.download(self._place, copy)
        except RetryableError:
            if not copy.exists():  # an old copy is better than none
                raise

    def _found(self, path: Path) -> Path:
        if not path.exists():  # a folder of such files will do as well
            raise BadInputError(
                f"there is no file {path}; correct static_index or the endpoint under [sources.stac], or write the "
                "stac-geoparquet file there"
            )
        return path


def stand_in(config: "StacConfig", services: "Services", folder: Path) -> StaticIndex | None:
    """The index that answers for services which cannot be reached; None where the settings name none."""
    if not config.static_index:
        return None
    return StaticIndex(config.static_index, services.catalogue(config.static_index), folder)


def indexes(collections: "Sequence[Collection]", services: "Services", folder: Path) -> dict[str, StaticIndex]:
    """The indexes that stand in place of services, by the endpoint that names them."""
    places = {collection.endpoint for collection in collections if is_index(collection.endpoint)}
    return {place: StaticIndex(place, services.catalogue(place), folder) for place in sorted(places)}


def _filter(schema: "pa.Schema", collection: str, box: Box, begin: datetime, end: datetime) -> Any:
    """What the file itself can leave out: row groups of other collections, places and times are not even read."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    kind = schema.field("datetime").type
    moment = ds.field("datetime")
    in_time = (moment >= pa.scalar(begin, kind)) & (moment < pa.scalar(end, kind))
    west, south, east, north = (ds.field("bbox", name) for name in _BOX)
    across = (west <= box[2]) & (east >= box[0])
    round_the_back = (west > east) & ((west <= box[2]) | (east >= box[0]))
    in_space = (across | round_the_back) & (south <= box[3]) & (north >= box[1])
    return (ds.field("collection") == collection) & (in_time | moment.is_null()) & in_space


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    """A STAC item as a service would have sent it."""
    import shapely
    from shapely.geometry import mapping

    outline = row["geometry"]
    box = row["bbox"]
    said = {name: value for name, value in row.items() if name not in (*_TOP, "geometry", "bbox")}
    return {
        "type": "Feature",
        "stac_version": row.get("stac_version") or "1.0.0",
        "stac_extensions": row.get("stac_extensions") or [],
        "id": row["id"],
        "collection": row["collection"],
        "geometry": mapping(shapely.from_wkb(outline)) if outline is not None else None,
        "bbox": [box[name] for name in _BOX] if box is not None else None,
        "properties": {"datetime": None, **_plain(said)},
        "assets": _plain(row["assets"] or {}),
        "links": _plain(row.get("links") or []),
    }


def _plain(value: Any) -> Any:
    """As JSON has it: moments as texts, and nothing in place of what an item does not have."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value if inner is not None]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
