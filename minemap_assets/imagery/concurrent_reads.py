"""Reading many sites, several at a time, and handing each over as soon as it is there.

However many sites are asked for, at most `workers` are being read, and beside them one composite waits and one is
being stored. Whatever ends the reading before its time (Ctrl-C, Dagster cancelling the run, a full disk) stops the
sources at once: what has not begun does not begin, and what has begun sends no further request.
"""

from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from minemap_assets.errors import MinemapError
from minemap_assets.imagery.chain import SourceChain, Sourced
from minemap_assets.imagery.requests import Request

Answer = tuple[Request, Sourced | MinemapError]


def read_sites(requests: Iterable[Request], chain: SourceChain, workers: int) -> Generator[Answer]:
    """Each request with its composite or its error, in the order in which they come in; `close` it to end early.

    `requests` are taken one by one, in the caller's thread. Raises what a source raises that is no `MinemapError`.
    """
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="site")
    begun: dict[Future[Sourced], Request] = {}
    try:
        for request in requests:
            begun[pool.submit(chain.read, request.grid)] = request
            if len(begun) > workers:
                yield _next(begun)
        while begun:
            yield _next(begun)
    except BaseException:
        chain.stop()
        raise
    finally:
        # A read that waits for a silent server ends with its time-out, and nobody has to wait for that.
        pool.shutdown(wait=False, cancel_futures=True)


def _next(begun: dict[Future[Sourced], Request]) -> Answer:
    """Take out the longest begun of those that have come to their end."""
    ended, _ = wait(begun, return_when=FIRST_COMPLETED)
    future = next(future for future in begun if future in ended)
    request = begun.pop(future)
    try:
        return request, future.result()
    except MinemapError as error:
        return request, error
