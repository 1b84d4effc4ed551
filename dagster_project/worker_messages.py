"""What a command and its worker processes tell each other: pickled objects over a pipe between the two."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dagster_project.environment import Environment
from dagster_project.outcomes import Result
from minemap_assets.errors import BadInputError, BusyError, MinemapError, PermanentError, StorageError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import Settings

KINDS: tuple[type[MinemapError], ...] = (StorageError, BusyError, BadInputError, PermanentError, MinemapError)
"""What an error that ends the whole command may be, the narrowest first."""


@dataclass(frozen=True)
class Briefing:
    """All that a worker has to know of a command: the project's snapshot, Dagster's folder, and the tags of its runs.

    The inputs are those that the command has read so far; of others the worker asks.
    """

    environment: Environment
    settings: Settings
    regions: Mapping[str, Region]
    inputs: Mapping[str, bytes | None]
    sample: int | None
    accepts_losses: bool
    forced: frozenset[PartitionRef]
    dagster_home: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Order:
    """Make these partitions of one step; meanwhile others were `made`, and `inputs` were written."""

    number: int
    refs: tuple[PartitionRef, ...]
    made: tuple[PartitionRef, ...] = ()
    inputs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """End, in the middle of a step too."""


@dataclass(frozen=True)
class Question:
    """What does a file under `inputs/` hold, as the command sees it?"""

    path: str


@dataclass(frozen=True)
class Answer:
    """The file's bytes, None where there is none, or the sentence that says why it cannot be used."""

    data: bytes | None
    refused: str = ""


@dataclass(frozen=True)
class Went:
    """How far the partition in work is (`listener.Progress`)."""

    ref: PartitionRef
    done: int
    total: int
    stage: str
    detail: str


@dataclass(frozen=True)
class Noticed:
    """A sentence that a person should read."""

    sentence: str


@dataclass(frozen=True)
class Finished:
    """How the partitions of an order came out."""

    number: int
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Over:
    """What ends the whole command: an error that was foreseen, by its kind, or the account of one that was not."""

    sentence: str
    kind: type[MinemapError] | None = None
    account: str = ""
