"""Checkpoints: the state of long work, kept in the lake, so that a run that was killed goes on from there.

A state is named tensors and JSON facts; what they mean is the affair of whoever does the work. Imports torch: import it
late.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from minemap_assets.errors import RetryableError
from minemap_assets.lake.manifests import digest
from minemap_assets.lake.writer import PartitionWriter

NAME = "checkpoint.state"

FORMAT = 1
"""Raised when states are written or understood in another way; older ones are then passed over."""

RARELY = 20.0
"""Work lasts at least this many times as long as writing its state took: so writing costs less than a twentieth."""


@dataclass(frozen=True, eq=False)
class State:
    """Tensors of any shape and type by name, and facts as JSON values (numbers come back to the last bit)."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


def under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under longer names, `prefix.name`, so that several groups fit into one state."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def part(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The group that was put `under` a prefix, by its own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def write_state(state: State, path: Path) -> None:
    """Write one file: a line with format and SHA-256 of the rest, a line of facts, the tensors as safetensors."""
    facts = json.dumps(dict(state.facts)).encode() + b"\n"
    tensors = save({name: value.detach().cpu().contiguous() for name, value in state.tensors.items()})
    with path.open("wb") as handle:
        handle.write(_first_line(facts, tensors))
        handle.write(facts)
        handle.write(tensors)


def read_state(path: Path) -> State | None:
    """The state of a file, its tensors on the CPU; None where a byte is not as it was written, or in another format."""
    with path.open("rb") as handle:
        first, facts, tensors = handle.readline(), handle.readline(), handle.read()
    if first != _first_line(facts, tensors):
        return None
    try:
        # cloned, because torch aligns what it allocates, and the last digits of a sum may hang on that
        return State({name: value.clone() for name, value in load(tensors).items()}, json.loads(facts))
    except (SafetensorError, ValueError):
        return None


def _first_line(facts: bytes, tensors: bytes) -> bytes:
    checksum = hashlib.sha256(facts)
    checksum.update(tensors)
    return f"minemap state {FORMAT} {checksum.hexdigest()}\n".encode()


class Checkpoints:
    """The last state of the work on one partition, published while the partition is still being made."""

    def __init__(
        self,
        writer: PartitionWriter,
        minutes: float,
        *,
        about: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """States are kept `minutes` apart, 0 = never; `clock` counts seconds; `tell` hears sentences for people.

        `about` is what a state hangs on besides the partition's fingerprint, such as the kind of device: states made
        under anything else are not found.
        """
        self._writer = writer
        self._seconds = minutes * 60.0
        self._clock = clock
        self._tell = tell
        self._key = digest({"format": FORMAT, "fingerprint": writer.fingerprint, "about": dict(about)})
        self._next = clock() + self._seconds

    def latest(self) -> State | None:
        """What an earlier run kept; None where there is nothing, or what is there is damaged, which is then noted."""
        path = self._writer.reuse(NAME, self._key)
        if path is None:
            return None
        state = read_state(path)
        if state is None:
            self.refuse("is damaged")
        return state

    def refuse(self, what: str) -> None:
        """Note in one sentence that the checkpoint `is damaged`, or the like, and is not used."""
        self.note(f"the checkpoint of an earlier run {what} and is not used; this run starts from the beginning")

    def note(self, sentence: str) -> None:
        """Tell a sentence of this partition to whoever listens."""
        self._tell(f"{self._writer.ref}: {sentence}")

    def save_if_due(self, make: Callable[[], State]) -> None:
        """Keep the state in place of the last one, where enough time has passed since.

        A lake that cannot be reached for the moment is noted; the work goes on, and the next state is tried again.
        """
        if not self._seconds or self._clock() < self._next:
            return
        start = self._clock()
        try:
            write_state(make(), self._writer.path(NAME))
            self._writer.add(NAME, content_key=self._key)
        except RetryableError as error:
            self.note(f"no checkpoint could be kept now, and the work goes on without ({error})")
        end = self._clock()
        self._next = end + max(self._seconds, RARELY * (end - start))

    def drop(self) -> None:
        """Forget the state: the partition is whole, and its commit removes what was kept on the way."""
        self._writer.drop(NAME)
