"""One process of a race: it writes or reads a partition as rooms do, at random moments, and tells what it did."""

import hashlib
import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.errors import BusyError, ConflictError, MinemapError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.leases import LeaseTimes
from minemap_assets.lake.manifests import DamagedError, Outcome, PartitionRef
from minemap_assets.lake.object_store import ObjectStore
from minemap_assets.lake.store import LocalStore, Patience, Store
from minemap_assets.lake.writer import PartitionWriter, WriteRules

REF = PartitionRef("imagery", "imagery", ("nova", "2019"))

ITEMS = 4
LONGEST = 0.05
"""Seconds between two things that a process does, at most."""


@dataclass(frozen=True)
class Orders:
    """What one process does: where, by which chances, how often, and how long it waits for others (s).

    `environment` leads to the object store.
    """

    home: str
    state: str
    log: str
    seed: str
    number: int
    rounds: int
    patience: float
    life: float
    reads: bool
    environment: dict[str, str]


def opened(home: str, state: Path, life: float) -> Store:
    """A store whose leases are as short as a test needs."""
    if "://" not in home:
        return LocalStore(Path(home))
    return ObjectStore(home, state / "lake-cache", times=LeaseTimes(life / 6, life))


def race(orders: Orders) -> None:
    """Do as ordered; for a process of its own."""
    os.environ.update(orders.environment)
    _Racer(orders).run()


class _Racer:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._chance = random.Random(orders.seed)
        state = Path(orders.state)
        self._lake = Lake(opened(orders.home, state, orders.life), state)

    def run(self) -> None:
        """Every round; whatever is not expected is told as an error."""
        for number in range(self._orders.rounds * (4 if self._orders.reads else 1)):
            self._pause()
            try:
                if self._orders.reads:
                    self._read()
                else:
                    self._write(number)
            except (ConflictError, BusyError) as error:
                self._say("lost", why=str(error))
            except Exception as error:
                self._say("error", why=f"{type(error).__name__}: {error}")

    def _write(self, number: int) -> None:
        """Make the partition: items that everybody makes alike, some of our own, a folder, and a plain file."""
        config = f"writer {self._orders.number}, round {number}"

        def build(writer: PartitionWriter) -> Outcome:
            self._say("holds", print=writer.fingerprint, base=writer.known.fingerprint if writer.known else "")
            for item in range(ITEMS):
                key = hashlib.sha256(f"item {item}".encode()).hexdigest()
                if self._chance.random() < 0.3 or writer.reuse(f"item{item}.tif", key) is None:
                    writer.path(f"item{item}.tif").write_text(f"item {item}\n" * 100)
                    writer.add(f"item{item}.tif", content_key=key)
                self._pause()
            own = hashlib.sha256(config.encode()).hexdigest()
            writer.path("own.tif").write_text(config)
            writer.add("own.tif", content_key=own)
            for inner in ("a", "b/c"):
                path = writer.path("tree") / inner
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{config} {inner}")
            writer.add("tree")
            self._pause()
            writer.write("index.parquet", lambda path: path.write_text(config * 50))
            self._pause()
            return Outcome()

        rules = WriteRules(fetched=self._chance.random() < 0.3, patience=Patience(self._orders.patience))
        manifest, _ = build_partition(
            self._lake, REF, code_version="1", config=config, inputs={}, build=build, rules=rules
        )
        self._say("made", print=manifest.fingerprint)

    def _read(self) -> None:
        """Read all that a manifest names. What changed meanwhile may be gone, but nothing may be half of something."""
        with self._lake.store.using():
            partition = self._lake.find(REF)
            if partition is None:
                return
            for name in partition.names():
                try:
                    data = partition.file(name).read_bytes()
                except (DamagedError, FileNotFoundError) as error:
                    again = self._lake.manifest(REF)
                    if again is not None and again == partition.manifest:
                        self._say("mixture", why=f"{error}, under the same manifest")
                    return
                except MinemapError as error:
                    self._say("error", why=str(error))
                    return
                if not _is_whole(name, data):
                    self._say("mixture", why=f"{name} reads {data[:80]!r}")
                self._pause()
            self._say("read")

    def _pause(self) -> None:
        time.sleep(self._chance.choice((0.0, self._chance.uniform(0.0, LONGEST))))

    def _say(self, what: str, **facts: str) -> None:
        with Path(self._orders.log).open("a") as handle:
            handle.write(json.dumps({"when": time.monotonic(), "what": what, "facts": facts}) + "\n")


def _is_whole(name: str, data: bytes) -> bool:
    """Whether these are bytes that some writer wrote under this name."""
    text = data.decode()
    if name.startswith("item"):
        return text == f"item {name.removeprefix('item').removesuffix('.tif')}\n" * 100
    if name == "index.parquet":
        return text == text[: len(text) // 50] * 50 and text.startswith("writer ")
    return text.startswith("writer ")
