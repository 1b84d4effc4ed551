"""A lake's bytes in an object store such as S3, with whole objects cached on this machine.

`obstore` takes credentials and addresses from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and the like).

An object appears at once or not at all, so a put is a publication. Reading goes through local copies, because rasters,
Zarr and Parquet are opened as files; a copy is kept as long as the object's ETag stays the same.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.exceptions import (
    NotFoundError as ObjectNotFoundError,
)
from obstore.store import from_url

from minemap_assets.errors import AuthenticationError, BadInputError, NotFoundError, RetryableError
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.locks import hold
from minemap_assets.lake.workspaces import workspace

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # these exist in its type stubs only
    from obstore.store import ObjectStore as Bucket

Value = TypeVar("Value")

# An address that a person gives as http:// (a server in the own network) is meant so.
CLIENT: "ClientConfig" = {"allow_http": True, "connect_timeout": timedelta(seconds=10), "timeout": timedelta(minutes=5)}
RETRIES: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(minutes=1)}


class ObjectStore:
    """Objects under a URL prefix; `folder` holds copies and files on their way."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url.rstrip("/")
        self._folder = folder
        try:
            self._bucket: Bucket = from_url(self._url, client_options=CLIENT, retry_config=RETRIES)
        except (BaseError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise BadInputError(
                f"MINEMAP_HOME is {url!r}, which is neither a folder nor an object store's URL such as "
                f"s3://bucket/prefix ({reason})"
            ) from error

    @property
    def root(self) -> str:
        """The URL prefix."""
        return self._url

    def staging(self) -> Path:
        """A local folder for files on their way."""
        folder = self._folder / "staging"
        with self.writing():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def writing(self) -> AbstractContextManager[None]:
        """Errors of this machine's disk as one sentence."""
        return storage_errors(self._folder, "MINEMAP_STATE")

    def put(self, local: Path, path: str) -> None:
        """Upload a file, and keep it here as the object's copy."""
        tag = self._write(path, lambda: obstore.put(self._bucket, path, local))["e_tag"] or ""
        with self._copy(path) as (copy, note):
            _exchange(copy, note, local, tag)

    def fetch(self, path: str) -> Path:
        """The local copy, fetched anew where the object changed."""
        tag = self._ask(path, lambda: obstore.head(self._bucket, path))["e_tag"] or ""
        with self._copy(path) as (copy, note):
            if not copy.is_file() or note.read_text() != tag:
                with workspace(self.staging()) as scratch:
                    part = scratch / "object"
                    tag = self._ask(path, lambda: self._download(path, part))
                    _exchange(copy, note, part, tag)
            return copy

    def _download(self, path: str, target: Path) -> str:
        found = obstore.get(self._bucket, path)
        with target.open("wb") as handle:
            for chunk in found.stream():
                handle.write(chunk)
        return found.meta["e_tag"] or ""

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            return int(self._ask(path, lambda: obstore.head(self._bucket, path))["size"])
        except NotFoundError:
            return None

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of all objects below a folder, by path, sorted."""

        def pages() -> dict[str, int]:
            listed = obstore.list(self._bucket, prefix=prefix)
            return {str(item["path"]): int(item["size"]) for page in listed for item in page}

        return dict(sorted(self._ask(prefix, pages).items()))

    def read_bytes(self, path: str) -> bytes:
        """The object's bytes."""
        return self._ask(path, lambda: bytes(obstore.get(self._bucket, path).bytes()))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small object."""
        self._write(path, lambda: obstore.put(self._bucket, path, data))

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects below a folder, sorted."""
        yield from self.sizes(prefix)

    def delete(self, path: str) -> None:
        """Remove an object and its local copy."""
        try:
            self._ask(path, lambda: obstore.delete(self._bucket, path))
        except NotFoundError:
            return
        (self._folder / "files" / path).unlink(missing_ok=True)
        (self._folder / "tags" / f"{path}.tag").unlink(missing_ok=True)

    @contextmanager
    def _copy(self, path: str) -> Iterator[tuple[Path, Path]]:
        """Place of the local copy and the note of its ETag, which is its lock: for one process at a time."""
        copy, note = self._folder / "files" / path, self._folder / "tags" / f"{path}.tag"
        with self.writing():
            for target in (copy, note):
                target.parent.mkdir(parents=True, exist_ok=True)
            with hold(note, math.inf, keep=True):
                yield copy, note

    def _write(self, path: str, request: Callable[[], Value]) -> Value:
        try:
            return self._ask(path, request)
        except NotFoundError as error:
            raise BadInputError(
                f"{self._url} cannot be written to: there is no such bucket; make it, or correct MINEMAP_HOME"
            ) from error

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


def _exchange(copy: Path, note: Path, local: Path, tag: str) -> None:
    """Put `local` in the copy's place. No tag stands beside a copy it does not belong to, whenever this ends."""
    note.write_text("")
    local.replace(copy)
    note.write_text(tag)
