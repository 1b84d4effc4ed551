"""Requests to an object store, with the project's own errors; what they have in common whatever they are for."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.exceptions import (
    NotFoundError as ObjectNotFoundError,
)
from obstore.store import from_url

from minemap_assets.errors import AuthenticationError, BadInputError, ConflictError, NotFoundError, RetryableError
from minemap_assets.lake.store import Tagged

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode, PutResult  # these exist in its type stubs only
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

Value = TypeVar("Value")

PROOF = ".leases/conditions"
"""An object that is never written twice: whether the store refuses that is found out with it."""

_PATIENT = (timedelta(seconds=10), timedelta(minutes=5), 6, timedelta(minutes=1))
_BRISK = (timedelta(seconds=3), timedelta(seconds=5), 2, timedelta(seconds=8))


class Bucket:
    """Objects under a URL prefix. Every method raises `AuthenticationError` and `RetryableError`.

    `brisk` gives up within seconds, for small requests that are made again and again anyway.
    """

    def __init__(self, url: str, *, brisk: bool = False) -> None:
        self.url = url.rstrip("/")
        self._refuses = False
        connect, whole, attempts, together = _BRISK if brisk else _PATIENT
        # an address that a person gives as http:// (a server in the own network) is meant so
        client: ClientConfig = {"allow_http": True, "connect_timeout": connect, "timeout": whole}
        retries: RetryConfig = {"max_retries": attempts, "retry_timeout": together}
        try:
            self.objects: ObjectStore = from_url(self.url, client_options=client, retry_config=retries)
        except (BaseError, ValueError) as error:
            raise BadInputError(
                f"MINEMAP_HOME is {url!r}, which is neither a folder nor an object store's URL such as "
                f"s3://bucket/prefix ({first_line(error)})"
            ) from error

    def read_tagged(self, path: str) -> Tagged | None:
        """A small object with its tag; None where there is none."""

        def get() -> Tagged:
            found = obstore.get(self.objects, path)
            return Tagged(bytes(found.bytes()), _tag(found.meta))

        try:
            return self.ask(path, get)
        except NotFoundError:
            return None

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Write a small object if it still has this tag (None: if there is none); returns its new tag.

        Raises `ConflictError` where somebody else wrote it meanwhile, and `BadInputError` where the store cannot tell.
        """
        self._prove()
        try:
            return self._put_if(path, data, tag)
        except RetryableError as error:
            # a write whose answer was lost has gone through all the same, and is refused when it is sent again
            found = self.read_tagged(path)
            if found is not None and found.data == data:
                return found.tag
            if isinstance(error, ConflictError) or (None if found is None else found.tag) == tag:
                raise
            raise self._conflict(path) from error

    def write(self, path: str, request: Callable[[], Value]) -> Value:
        """The answer to a request that writes. Raises `BadInputError` where there is no such bucket."""
        try:
            return self.ask(path, request)
        except NotFoundError as error:
            raise BadInputError(
                f"{self.url} cannot be written to: there is no such bucket; make it, or correct MINEMAP_HOME"
            ) from error

    def ask(self, path: str, request: Callable[[], Value]) -> Value:
        """The answer to a request about an object. Raises `NotFoundError`."""
        where = f"{self.url}/{path}"
        try:
            return request()
        except (ObjectNotFoundError, FileNotFoundError) as error:
            raise NotFoundError(f"{where} does not exist") from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise AuthenticationError(
                f"{where}: access was refused; check the credentials in the environment"
            ) from error
        except (AlreadyExistsError, PreconditionError) as error:
            raise self._conflict(path) from error
        except BaseError as error:
            raise RetryableError(f"{where} could not be reached: {first_line(error)}") from error

    def _put_if(self, path: str, data: bytes, tag: str | None) -> str:
        mode: PutMode = "create" if tag is None else json.loads(tag)
        try:
            return self.write(path, lambda: _tag(obstore.put(self.objects, path, data, mode=mode)))
        except NotImplementedError as error:
            raise self._unconditional() from error
        except RetryableError as error:
            if "501 Not Implemented" in str(error.__cause__):
                raise self._unconditional() from error
            raise

    def _prove(self) -> None:
        """See once that the store refuses what it is asked to: some take no notice of a condition."""
        if self._refuses:
            return
        try:
            self._put_if(PROOF, b"", None)
            self._put_if(PROOF, b"This must not be written.", None)
        except ConflictError:
            self._refuses = True
            return
        raise self._unconditional()

    def _conflict(self, path: str) -> ConflictError:
        return ConflictError(f"{self.url}/{path} was changed by somebody else meanwhile; run this again")

    def _unconditional(self) -> BadInputError:
        return BadInputError(
            f"{self.url} is kept by a store without conditional writes (If-None-Match and If-Match), which keep "
            "machines from overwriting each other's work; unset AWS_CONDITIONAL_PUT where it is set, or set "
            "MINEMAP_HOME to a store that has them"
        )


def first_line(error: BaseException) -> str:
    """What an error says, without the details that follow."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _tag(found: "ObjectMeta | PutResult") -> str:
    """What a later write can be bound to: the ETag, and the generation where the store counts those instead."""
    named = {"e_tag": found["e_tag"], "version": found["version"]}
    return json.dumps({name: value for name, value in named.items() if value is not None})
