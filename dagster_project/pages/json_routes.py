"""What pages ask and tell: JSON in, JSON out, and an error as one sentence with the status that its class means."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dagster_project.pages.write_token import WRITABLE
from minemap_assets.errors import (
    BadInputError,
    BusyError,
    ConflictError,
    MinemapError,
    NotFoundError,
    RetryableError,
)

MOST_BYTES = 1_000_000
"""Of what a page may send at once."""

Answer = Mapping[str, Any]

_STATUS: tuple[tuple[type[MinemapError], int], ...] = (
    (BadInputError, 400),
    (NotFoundError, 404),
    (ConflictError, 409),
    (BusyError, 503),
    (RetryableError, 503),
)
_NO_STORE = {"cache-control": "no-store"}


def asked(path: str, answer: Callable[[Mapping[str, str]], Answer]) -> Route:
    """A route that is read: `answer` gets the words of the path and of the query, `writable` among them (yes or no)."""

    async def serve(request: Request) -> JSONResponse:
        writable = "yes" if request.scope.get("state", {}).get(WRITABLE) else "no"
        words = {**request.query_params, **request.path_params, "writable": writable}
        return await _answered(lambda: answer(words))

    return Route(path, serve, methods=["GET"])


def told(path: str, take: Callable[[Mapping[str, Any]], Answer]) -> Route:
    """A route that is written to: `take` gets the JSON object of the request, joined with the words of the path."""

    async def serve(request: Request) -> JSONResponse:
        try:
            given = await _object(request)
        except BadInputError as error:
            return _refused(error)
        words = {**given, **request.path_params}
        return await _answered(lambda: take(words))

    return Route(path, serve, methods=["POST"])


async def _object(request: Request) -> dict[str, Any]:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise BadInputError(f"a request holds at most {MOST_BYTES:,} bytes; send less at once")
    except ClientDisconnect as error:
        raise BadInputError("the page went away before all of its request had come; send it again") from error
    import json

    try:
        given = json.loads(bytes(body))
    except ValueError as error:
        raise BadInputError("a request has to be JSON, and this one is not; reload the page") from error
    if not isinstance(given, dict):
        raise BadInputError("a request has to be a JSON object; reload the page")
    return given


async def _answered(work: Callable[[], Answer]) -> JSONResponse:
    try:
        return JSONResponse(dict(await run_in_threadpool(work)), headers=_NO_STORE)
    except MinemapError as error:
        return _refused(error)


def _refused(error: MinemapError) -> JSONResponse:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error)}, status, _NO_STORE)
