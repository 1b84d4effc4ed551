"""Telling whoever started work how it goes on: progress inside a partition, and how each partition came out."""

from typing import Protocol

from minemap_assets.lake.manifests import PartitionRef


class Progress(Protocol):
    """Is told how far the work on a partition is."""

    def __call__(self, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """`done` of `total` steps of a `stage`, such as `fetching site`, with a `detail` such as the last loss."""


def no_progress(done: int, total: int, stage: str = "", detail: str = "") -> None:
    """Report to nobody."""


class Listener:
    """Hears everything and tells nobody; the command line listens with one of its own."""

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """How far a partition is, in the words of `Progress`."""

    def noticed(self, sentence: str) -> None:
        """Something that a person should know while a partition is made: what is waited for, healed, or thrown away."""

    def finished(self, ref: PartitionRef, made: bool) -> None:
        """A partition is whole: made now, or found current."""

    def failed(self, ref: PartitionRef, error: BaseException) -> None:
        """A partition could not be made."""
