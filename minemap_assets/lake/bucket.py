"""Requests to an object store, with the project's own errors; what they have in common whatever they are for."""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

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

GREETING = "lake.json"
"""An object that every lake has, or will have."""

_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "http", "https")
_CREDENTIALS: Mapping[str, str] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles in ~/.aws are not read)",
    "gs": "GOOGLE_SERVICE_ACCOUNT, the path of a service account's key",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""The variables that hold a store's credentials, by how its URLs begin."""

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3")
_NO_CREDENTIALS = (
    "169.254.169.254",
    "/latest/api/token",
    "/latest/meta-data",
    "/computeMetadata",
    "/metadata/identity",
)
"""What stands in an error where the machine's provider was asked for credentials, as the environment holds none."""

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "specified bucket does not exist")
_ANSWERED = "Server returned non-2xx"
_CODE = re.compile(r"<Code>(\w+)</Code>")
_SPACE = re.compile(r"\s")
_ASKED = re.compile(r"https?://[^/\s]+")


class Bucket:
    """Objects under a URL prefix. Every method raises `AuthenticationError` and `RetryableError`.

    `brisk` gives up within seconds, for small requests that are made again and again anyway.
    """

    def __init__(self, url: str, *, brisk: bool = False) -> None:
        self.url = url.rstrip("/")
        self._refuses = False
        _check_address(url)
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

    def greet(self) -> None:
        """Ask the store one thing, to hear at once of an address that is wrong. To be asked of a brisk one.

        Raises `BadInputError` where there is no such bucket, and `RetryableError` where no server answers; one that
        answers that it is busy may do better when it is asked again.
        """
        try:
            self.ask(GREETING, lambda: obstore.get(self.objects, GREETING).bytes())
        except NotFoundError as error:
            if any(words in str(error.__cause__) for words in _NO_BUCKET):
                raise self._no_bucket() from error
        except RetryableError as error:
            cause = str(error.__cause__)
            if _ANSWERED in cause:
                return
            asked = _ASKED.search(cause)
            wrong_region = (
                "; its region seems to be another one, set AWS_REGION" if "configured region" in cause else ""
            )
            raise RetryableError(
                f"MINEMAP_HOME is {self.url}, and {asked[0] if asked else 'its server'} gives no answer that could be "
                f"used{wrong_region}; check the network, MINEMAP_HOME and the endpoint in the environment (such as "
                "AWS_ENDPOINT_URL), and run this again"
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
            raise self._no_bucket() from error

    def ask(self, path: str, request: Callable[[], Value]) -> Value:
        """The answer to a request about an object. Raises `NotFoundError`."""
        where = f"{self.url}/{path}"
        try:
            return request()
        except (ObjectNotFoundError, FileNotFoundError) as error:
            raise NotFoundError(f"{where} does not exist") from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            code = _CODE.search(str(error))
            raise AuthenticationError(
                f"{where}: access was refused{f' ({code[1]})' if code else ''}; check the credentials in the "
                f"environment, {self._credentials()}, and what they may do there"
            ) from error
        except (AlreadyExistsError, PreconditionError) as error:
            raise self._conflict(path) from error
        except BaseError as error:
            if any(words in str(error) for words in _NO_CREDENTIALS):
                raise AuthenticationError(
                    f"MINEMAP_HOME is {self.url}, and the environment holds no credentials for it; set "
                    f"{self._credentials()}"
                ) from error
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

    def _credentials(self) -> str:
        return next((v for k, v in _CREDENTIALS.items() if self.url.startswith(k)), "those of the store")

    def _no_bucket(self) -> BadInputError:
        return BadInputError(
            f"MINEMAP_HOME is {self.url}, and there is no such bucket; make it, or correct MINEMAP_HOME or the "
            "endpoint in the environment"
        )

    def _conflict(self, path: str) -> ConflictError:
        return ConflictError(f"{self.url}/{path} was changed by somebody else meanwhile; run this again")

    def _unconditional(self) -> BadInputError:
        return BadInputError(
            f"{self.url} is kept by a store without conditional writes (If-None-Match and If-Match), which keep "
            "machines from overwriting each other's work; unset AWS_CONDITIONAL_PUT where it is set, or set "
            "MINEMAP_HOME to a store that has them"
        )


def _check_address(url: str) -> None:
    """Refuse what no store is found at. Raises `BadInputError`."""
    scheme = url.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        raise BadInputError(
            f"MINEMAP_HOME is {url!r}, which is neither a folder nor an object store's URL such as s3://bucket/prefix"
        )
    for name in _ENDPOINTS if scheme.startswith("s3") else ():
        value = os.environ.get(name)
        if value is not None and not _is_web_address(value):
            raise BadInputError(
                f"{name} is {value!r}, which is no web address; write one such as http://host:9000, or unset it"
            )


def _is_web_address(text: str) -> bool:
    """Whether it has a scheme, a host and a port that can be; the library dies of one that has not."""
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return whole and _SPACE.search(text) is None


def first_line(error: BaseException) -> str:
    """What an error says, without the details that follow."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _tag(found: "ObjectMeta | PutResult") -> str:
    """What a later write can be bound to: the ETag, and the generation where the store counts those instead."""
    named = {"e_tag": found["e_tag"], "version": found["version"]}
    return json.dumps({name: value for name, value in named.items() if value is not None})
