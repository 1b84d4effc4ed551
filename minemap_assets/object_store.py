"""A lake's bytes in an object store such as S3, with whole objects cached on this machine.

What belongs here: the operations of `stores.Store` over `obstore`. What does not: credentials, which `obstore` takes
from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and the like).

An object appears at once or not at all, so a put is a publication. Reading goes through local copies, because rasters,
Zarr and Parquet are opened as files; a copy is kept as long as the object's ETag stays the same.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.exceptions import (
    NotFoundError as ObjectNotFoundError,
)
from obstore.store import ObjectStore as Bucket
from obstore.store import from_url

from minemap_assets.errors import AuthenticationError, NotFoundError, RetryableError

Value = TypeVar("Value")


class ObjectStore:
    """Objects under a URL prefix; `folder` holds copies and files on their way."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url.rstrip("/")
        self._folder = folder
        self._bucket: Bucket = from_url(self._url)

    @property
    def root(self) -> str:
        """The URL prefix."""
        return self._url

    def staging(self) -> Path:
        """A local folder for files on their way."""
        folder = self._folder / "staging"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put(self, local: Path, path: str) -> None:
        """Upload a file and remove it here."""
        self._ask(path, lambda: obstore.put(self._bucket, path, local))
        local.unlink()

    def fetch(self, path: str) -> Path:
        """The local copy, fetched anew where the object changed."""
        tag = self._ask(path, lambda: obstore.head(self._bucket, path))["e_tag"] or ""
        copy, note = self._folder / "files" / path, self._folder / "tags" / f"{path}.tag"
        if copy.is_file() and note.is_file() and note.read_text() == tag:
            return copy
        for target in (copy, note):
            target.parent.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        part = copy.with_name(f"{copy.name}.part")
        with part.open("wb") as handle:
            for chunk in self._ask(path, lambda: obstore.get(self._bucket, path)).stream():
                handle.write(chunk)
        part.replace(copy)
        note.write_text(tag)
        return copy

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            return int(self._ask(path, lambda: obstore.head(self._bucket, path))["size"])
        except NotFoundError:
            return None

    def read_bytes(self, path: str) -> bytes:
        """The object's bytes."""
        return bytes(self._ask(path, lambda: obstore.get(self._bucket, path)).bytes())

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""
        self._ask(path, lambda: obstore.put(self._bucket, path, data))

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects under a prefix, sorted."""
        found: list[str] = []
        for page in obstore.list(self._bucket, prefix=prefix):
            found.extend(str(item["path"]) for item in page)
        yield from sorted(found)

    def delete(self, path: str) -> None:
        """Remove an object and its local copy."""
        try:
            self._ask(path, lambda: obstore.delete(self._bucket, path))
        except NotFoundError:
            return
        (self._folder / "files" / path).unlink(missing_ok=True)
        (self._folder / "tags" / f"{path}.tag").unlink(missing_ok=True)

    def _ask(self, path: str, request: Callable[[], Value]) -> Value:
        where = f"{self._url}/{path}"
        try:
            return request()
        except (ObjectNotFoundError, FileNotFoundError) as error:
            raise NotFoundError(f"{where} does not exist") from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise AuthenticationError(
                f"{where}: access was refused; check the credentials in the environment"
            ) from error
        except BaseError as error:
            raise RetryableError(f"{where} could not be reached: {str(error).splitlines()[0]}") from error
