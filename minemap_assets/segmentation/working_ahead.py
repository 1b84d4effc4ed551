"""Working ahead: items are made in a background thread while the one before is still in use."""

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _End:
    """No more items, because of an error where there was one."""

    error: BaseException | None


def ahead(items: Iterable[T], most: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread of their own; at most `most` of them exist at a time, with the
    one that the caller has in its hands.

    An error in making one reaches the caller in its place. The thread ends with the items, and also where the caller
    stops asking: then the iterator is to be closed, which a garbage collector does too.
    """
    places, stopped = threading.Semaphore(most), threading.Event()
    made: SimpleQueue[T | _End] = SimpleQueue()
    thread = threading.Thread(target=_make, args=(items, places, made, stopped), name="working ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
            # An item counts until the next one is asked for: so a new one is begun only then.
            del item
            places.release()
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        places.release()
        thread.join()


def _make(
    items: Iterable[T], places: threading.Semaphore, made: "SimpleQueue[T | _End]", stopped: threading.Event
) -> None:
    iterator: Iterable[T] = items
    try:
        iterator = iter(items)
        while places.acquire() and not stopped.is_set():
            try:
                item = next(iterator)
            except StopIteration:
                break
            made.put(item)
            del item
        made.put(_End(None))
    except BaseException as error:  # whatever it is, the caller's thread is the one that it belongs to
        made.put(_End(error))
    finally:
        # A generator holds what it works with, such as a thread of its own, until it is closed.
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
