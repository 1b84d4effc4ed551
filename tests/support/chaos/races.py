"""Writers and readers of one partition at the same time, each a process, and what stands at the end.

What each did is judged from what it told: every commit has to begin from the one before it, so that no later result was
replaced by an earlier one.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from chaos.holdings import MANIFEST, sha256
from chaos.racer import REF, Orders, opened, race
from chaos.tally import Outcome
from minemap_assets.errors import NotFoundError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome as Built
from minemap_assets.lake.manifests import parse_manifest
from minemap_assets.lake.object_store import LEASES
from minemap_assets.lake.store import LocalStore, Patience, Store
from minemap_assets.lake.writer import PartitionWriter, WriteRules

WRITERS = "several writers of one partition"
STOPPED = "a writer that stood still past its lease"
KILLED = "a writer killed amid others"
READERS = "readers while others write and clean up"

KINDS = (WRITERS, WRITERS, STOPPED, KILLED, READERS)

LIFE = 0.8
"""Seconds after which a lease that was not renewed is anybody's."""

PATIENCE = 60.0
"""Seconds after which a process that has not ended counts as stuck."""

_forked = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Said:
    """One thing that a process told: when (s, the same clock for all), what it was, and details."""

    when: float
    what: str
    facts: dict[str, str]


def one_race(home: str, folder: Path, seed: str, kind: str) -> list[Outcome]:
    """A race in a lake of its own, in a folder or under an object store's URL."""
    chance = random.Random(seed)
    folder.mkdir(parents=True)
    on_disk = "://" not in home
    logs, processes = [], []
    writers = chance.choice((2, 2, 3))
    readers = 2 if kind == READERS else 0
    for number in range(writers + readers):
        # processes at a bucket are machines of their own, but for the first two at times
        machine = 0 if on_disk or (number == 1 and kind != STOPPED and chance.random() < 0.3) else number
        orders = Orders(
            home=home,
            state=str(folder / f"machine{machine}"),
            log=str(folder / f"log{number}"),
            seed=f"{seed}:{number}",
            number=number,
            rounds=chance.randint(1, 3),
            patience=20.0 if kind in {STOPPED, KILLED} else chance.choice((0.0, 0.5, 20.0)),
            life=LIFE,
            reads=number >= writers,
            environment={name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        )
        logs.append(Path(orders.log))
        processes.append(_forked.Process(target=race, args=(orders,)))
    for process in processes:
        process.start()
    losses = _disturb(kind, processes[0], logs[0], chance)
    losses += _ended(processes, killed=kind == KILLED)
    said = [_read(log) for log in logs]
    store = Lake.at(home, folder / "looking").store
    losses += judged(store, [one for all_ in said for one in all_])
    losses += _next_commit(home, folder, store)
    if not losses:
        _remove(store, folder)
    place = "disk" if on_disk else "object store"
    return [Outcome(kind, place, 1, int(not losses), int(not losses), tuple(losses))]


def judged(store: Store, said: Sequence[Said]) -> list[str]:
    """What is wrong with what stands there, given what everybody told."""
    told = [f"{one.what}: {one.facts['why']}" for one in said if one.what in {"error", "mixture"}]
    made = [one.facts["print"] for one in said if one.what == "made"]
    told += [f"no sentence: {one.facts['why']}" for one in said if one.what == "lost" and "\n" in one.facts["why"]]
    # whoever lost its lease after its commit says so, and its result stands all the same
    before = {one.facts["print"]: one.facts["base"] for one in said if one.what == "holds"}
    try:
        manifest = parse_manifest(store.read_bytes(f"{REF.prefix}/{MANIFEST}"), REF, store.root)
    except NotFoundError:
        return [*told, "no manifest stands there"] if made else told
    standing, chain = manifest.fingerprint, []
    while standing in before and standing not in chain:
        chain.append(standing)
        standing = before[standing]
    told += [f"the result {print_} was replaced by one that began before it" for print_ in made if print_ not in chain]
    for stored in manifest.files:
        try:
            data = store.read_bytes(f"{REF.prefix}/{stored.path}")
        except NotFoundError:
            told.append(f"{stored.path} is named and not there")
            continue
        if sha256(data) != stored.sha256:
            told.append(f"{stored.path} is not what its manifest says")
    return told


def _disturb(kind: str, process: BaseProcess, log: Path, chance: random.Random) -> list[str]:
    """Stop or kill the first process some time into its work."""
    if kind not in {STOPPED, KILLED} or process.pid is None:
        return []
    end = time.monotonic() + PATIENCE
    while process.is_alive() and not any(one.what == "holds" for one in _read(log)):
        if time.monotonic() > end:
            return ["the first writer never got its turn"]
        time.sleep(0.005)
    time.sleep(chance.uniform(0.0, 0.15))
    if not process.is_alive():
        return []
    if kind == KILLED:
        os.kill(process.pid, signal.SIGKILL)
        return []
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(LIFE * chance.uniform(2.0, 4.0))
    os.kill(process.pid, signal.SIGCONT)
    return []


def _ended(processes: Sequence[BaseProcess], *, killed: bool) -> list[str]:
    told, end = [], time.monotonic() + PATIENCE
    for number, process in enumerate(processes):
        process.join(max(0.0, end - time.monotonic()))
        if process.exitcode is None:
            process.kill()
            process.join()
            told.append(f"process {number} did not end")
        elif process.exitcode and not (killed and number == 0):
            told.append(f"process {number} ended with {process.exitcode}")
    return told


def _next_commit(home: str, folder: Path, store: Store) -> list[str]:
    """Whoever comes next makes the partition, and then nothing lies there that nobody names."""

    def build(writer: PartitionWriter) -> Built:
        writer.write("last.txt", lambda path: path.write_text("last"))
        return Built()

    lake = Lake(opened(home, folder / "looking", LIFE), folder / "looking")
    rules = WriteRules(patience=Patience(PATIENCE))
    manifest, _ = build_partition(lake, REF, code_version="1", config="last", inputs={}, build=build, rules=rules)
    named = {f"{REF.prefix}/{stored.path}" for stored in manifest.files} | {f"{REF.prefix}/{MANIFEST}"}
    left = [path for path in store.list("") if path not in named and not _may_stay(path)]
    return [f"{path} was left behind" for path in left]


def _may_stay(path: str) -> bool:
    return path == "lake.json" or path.startswith((f"{LEASES}/", ".trash/"))


def _remove(store: Store, folder: Path) -> None:
    if not isinstance(store, LocalStore):
        for path in list(store.list("")):
            store.delete(path)
    shutil.rmtree(folder)


def _read(log: Path) -> list[Said]:
    lines = log.read_text().splitlines() if log.exists() else []
    found = []
    for line in lines:
        try:
            raw = json.loads(line)
        except ValueError:  # it was killed while it wrote
            continue
        found.append(Said(raw["when"], raw["what"], raw["facts"]))
    return found
