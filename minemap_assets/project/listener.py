"""Telling whoever started work how it goes on: progress inside a partition, and how each partition came out."""

from collections.abc import Callable

from minemap_assets.lake.manifests import PartitionRef

Progress = Callable[[int, int], None]
"""Is told how many items of a partition are done, and of how many."""


def no_progress(_done: int, _total: int) -> None:
    """Report to nobody."""


class Listener:
    """Hears everything and tells nobody; the command line listens with one of its own."""

    def progress(self, ref: PartitionRef, done: int, total: int) -> None:
        """Items of a partition that are done, and all of them."""

    def noticed(self, sentence: str) -> None:
        """Something that a person should know while a partition is made: what is waited for, healed, or thrown away."""

    def finished(self, ref: PartitionRef, made: bool) -> None:
        """A partition is whole: made now, or found current."""

    def failed(self, ref: PartitionRef, error: BaseException) -> None:
        """A partition could not be made."""
