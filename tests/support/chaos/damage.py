"""Bytes that change behind the lake's back: every kind of file, and one run that has to make them right again."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chaos.holdings import MANIFEST, holding, manifests, sha256
from chaos.kills import compared
from chaos.places import Place
from chaos.tally import Outcome
from commands import DEMO, Ended, command
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from tiny import Chain

FLIPPED, TRUNCATED, DELETED, SWAPPED = "one byte flipped", "file cut short", "file deleted", "file with other content"
UNSEEN = "one byte flipped, and no time changed"
COPY = "one byte flipped in a local copy"
REFERENCE = "registered file damaged"

Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """An object that may be damaged: its path, its kind, and the partition it belongs to (None for an input)."""

    path: str
    kind: str
    ref: PartitionRef | None


@dataclass(frozen=True)
class Fault:
    """What was done to an object."""

    target: Target
    change: str


def targets(place: Place, chain: Chain) -> dict[str, list[Target]]:
    """Everything that can be made again, by kind of file."""
    store = place.store(chain)
    found = []
    for manifest in manifests(store, []):
        prefix = manifest.ref.prefix
        asset = f"{manifest.room}/{manifest.asset}"
        found.append(Target(f"{prefix}/{MANIFEST}", f"{asset}/{MANIFEST}", manifest.ref))
        found += [
            Target(f"{prefix}/{stored.path}", f"{asset}/{_kind(stored.name, stored.is_item)}", manifest.ref)
            for stored in manifest.files
            if stored.bytes
        ]
    found += [Target(path, f"a kept model's {PurePosixPath(path).name}", None) for path in store.list("inputs/models")]
    by_kind: dict[str, list[Target]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    return dict(sorted(by_kind.items()))


def chosen(by_kind: Mapping[str, Sequence[Target]], chance: random.Random, first: int, count: int) -> list[Target]:
    """Different targets: kinds in turn, from the `first`-th on in an order that the seed of all decides."""
    kinds = list(by_kind)
    random.Random(len(kinds)).shuffle(kinds)
    picked: dict[str, Target] = {}
    while len(picked) < count:
        one = chance.choice(by_kind[kinds[first % len(kinds)]])
        picked[one.path] = one
        first += 1
    return list(picked.values())


def round_of_damage(place: Place, folder: Path, seed: str, first: int, count: int) -> list[Outcome]:
    """Several faults at once, then one run."""
    chance, chain = random.Random(seed), place.copied(folder)
    by_kind = targets(place, chain)
    faults = [Fault(one, damaged(place, chain, one, chance, by_kind)) for one in chosen(by_kind, chance, first, count)]
    before = {fault: place.mark(chain, _manifest(fault)) for fault in faults}
    end = command(chain, *DEMO)
    losses = compared(place, chain, end)
    noticed = {fault for fault in faults if is_told(fault, end) or place.mark(chain, _manifest(fault)) != before[fault]}
    return _finish(place, chain, faults, noticed, losses)


def round_unseen(place: Place, folder: Path, seed: str, first: int, count: int) -> list[Outcome]:
    """Bytes that rot: no time and no size changes. What is made from them must be right; `verify` finds the rest."""
    chance, chain = random.Random(seed), place.copied(folder)
    by_kind = {kind: found for kind, found in targets(place, chain).items() if MANIFEST not in kind and found[0].ref}
    faults = [Fault(one, UNSEEN) for one in chosen(by_kind, chance, first, count)]
    for fault in faults:
        _change(place, chain, fault.target.path, lambda data: flipped(data, chance))
        place.touch(chain, _manifest(fault))
    for reader in _readers(place, chain, {_prefix(fault) for fault in faults}):
        place.store(chain).delete(f"{reader}/{MANIFEST}")
    first_end = command(chain, *DEMO)
    after = holding(place.store(chain))
    named = {fault for fault in faults if is_told(fault, first_end)}
    rotten = {fault for fault in faults if any(fault.target.path in told for told in after.faults)}
    wrong = [told for told in after.against(place.expected) if not any(_prefix(fault) in told for fault in rotten)]
    losses = [f"made from damaged bytes: {told}" for told in wrong]
    if first_end.code:
        losses.append(f"the first run ended with {first_end.code}: {first_end.text[-600:]}")
    looked = command(chain, "verify")
    said = looked.text.replace("\n", "")
    noticed = named | (set(faults) - rotten) | {fault for fault in rotten if fault.target.path in said}
    if looked.code != (1 if rotten else 0):
        losses.append(f"verify ended with {looked.code} over {len(rotten)} damaged files: {looked.text[-400:]}")
    losses += compared(place, chain, command(chain, *DEMO))
    if (last := command(chain, "verify")).code:
        losses.append(f"verify ended with {last.code} over a lake that was healed: {last.text[-400:]}")
    return _finish(place, chain, faults, noticed, losses)


def round_of_copies(place: Place, folder: Path, seed: str, first: int, count: int) -> list[Outcome]:
    """Damage in what a machine keeps of a bucket: whoever reads gets the bucket's bytes, and so does the next run."""
    chance, chain = random.Random(seed), place.copied(folder)
    by_kind = {kind: found for kind, found in targets(place, chain).items() if MANIFEST not in kind and found[0].ref}
    faults = [Fault(one, COPY) for one in chosen(by_kind, chance, first, count)]
    lake = Lake.at(chain.environment.home, chain.environment.state)
    for fault in faults:
        copy = lake.store.fetch(fault.target.path)
        copy.write_bytes(flipped(copy.read_bytes(), chance))
    for reader in _readers(place, chain, {_prefix(fault) for fault in faults}):
        place.store(chain).delete(f"{reader}/{MANIFEST}")
    losses = compared(place, chain, command(chain, *DEMO))
    noticed = set()
    for fault in faults:
        assert fault.target.ref is not None
        held = lake.open(fault.target.ref)
        found = {stored.path: stored for stored in held.manifest.files}
        inner = fault.target.path.removeprefix(f"{fault.target.ref.prefix}/")
        # a partition that was made again has other names in a bucket, and no copy of the old ones is ever read
        if inner not in found or sha256(held.file(found[inner].name).read_bytes()) == found[inner].sha256:
            noticed.add(fault)
    return _finish(place, chain, faults, noticed, losses)


def round_of_references(place: Place, folder: Path, seed: str) -> list[Outcome]:
    """A registered file that cannot be made again: one sentence, and all is well when its bytes are back."""
    chance, chain = random.Random(seed), place.copied(folder)
    store = place.store(chain)
    path = chance.choice([p for p in store.list("inputs/reference") if p.endswith(".parquet")])
    fault, whole = Fault(Target(path, "reference", None), REFERENCE), store.read_bytes(path)
    change = chance.choice((flipped, shortened, None))
    if change is None:
        store.delete(path)
    else:
        place.rewrite(chain, path, change(whole, chance))
    asset = path.split("/")[2]
    store.delete(f"reference/{asset}/{MANIFEST}")
    losses = []
    for words, codes in ((DEMO, {1, 2}), (("verify",), {1})):
        end = command(chain, *words)
        if end.code not in codes or path not in end.text.replace("\n", "") or "Traceback" in end.text:
            losses.append(f"{' '.join(words)} ended with {end.code} over a damaged {path}: {end.text[-600:]}")
    noticed = set() if losses else {fault}
    store.write_bytes(path, whole)
    losses += compared(place, chain, command(chain, *DEMO))
    return _finish(place, chain, [fault], noticed, losses)


def damaged(
    place: Place, chain: Chain, target: Target, chance: random.Random, by_kind: Mapping[str, Sequence[Target]]
) -> str:
    """Damage an object in one way or another; returns which."""
    change = chance.choice((FLIPPED, FLIPPED, FLIPPED, TRUNCATED, DELETED, SWAPPED))
    if change == DELETED:
        place.store(chain).delete(target.path)
    elif change == TRUNCATED:
        _change(place, chain, target.path, lambda data: shortened(data, chance))
    elif change == FLIPPED:
        _change(place, chain, target.path, lambda data: flipped(data, chance))
    else:
        store = place.store(chain)
        paths = [one.path for found in by_kind.values() for one in found]
        there = set(store.list(""))
        others = [
            store.read_bytes(path)
            for path in chance.sample(paths, min(len(paths), 5))
            if path in there and path != target.path
        ]
        # a few may have been damaged into nothing, or be the same by nature
        _change(place, chain, target.path, lambda data: next((o for o in others if o not in {data, b""}), b"other"))
    return change


def flipped(data: bytes, chance: random.Random) -> bytes:
    """With one byte that is another one; in JSON, one that says something else."""
    while True:
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        if _said(bytes(changed)) is None or _said(bytes(changed)) != _said(data):
            return bytes(changed)


def shortened(data: bytes, chance: random.Random) -> bytes:
    """Without its end."""
    return data[: chance.randrange(len(data))]


def is_told(fault: Fault, end: Ended) -> bool:
    """Whether a run's output speaks of the damage, or of the partition as made again."""
    text, ref = end.text.replace("\n", " "), fault.target.ref
    if fault.target.path in text:
        return True
    if ref is None:
        return False
    made = any(said.endswith(f"{' '.join(ref.keys) or 'all'}: {ref.asset}") for said in end.said("made"))
    return made or f"{ref}: " in text or f"{ref} is made again" in text


def _finish(
    place: Place, chain: Chain, faults: Sequence[Fault], noticed: set[Fault], losses: Sequence[str]
) -> list[Outcome]:
    """Outcomes by kind of change. A loss that names no damaged partition counts once."""
    outcomes, open_ = [], list(losses)
    for change in sorted({fault.change for fault in faults}):
        own = [fault for fault in faults if fault.change == change]
        lost = [fault for fault in own if any(_prefix(fault) in told for told in losses)]
        told = [said for said in open_ if any(_prefix(fault) in said for fault in own)]
        open_ = [said for said in open_ if said not in told]
        unnoticed = [f"{f.target.path} ({change}) was not noticed" for f in own if f not in noticed]
        healed = len(own) - len(lost) if not unnoticed else len(own) - len({*lost, *(set(own) - noticed)})
        outcomes.append(Outcome(change, place.name, len(own), len(noticed & set(own)), healed, (*told, *unnoticed)))
    if open_:
        first = outcomes[0]
        outcomes[0] = Outcome(first.kind, first.place, first.tried, first.noticed, 0, (*first.losses, *open_))
    if not any(one.losses for one in outcomes):
        place.discard(chain)
    return outcomes


def _readers(place: Place, chain: Chain, prefixes: set[str]) -> set[str]:
    """Prefixes of the partitions that were made from some."""
    known = manifests(place.store(chain), [])
    named = {str(manifest.ref): manifest.ref.prefix for manifest in known}
    made = {m.ref.prefix for m in known if any(named.get(name) in prefixes for name in m.inputs)}
    return made - prefixes


def _manifest(fault: Fault) -> str:
    return f"{_prefix(fault)}/{MANIFEST}" if fault.target.ref is not None else fault.target.path


def _prefix(fault: Fault) -> str:
    return fault.target.ref.prefix if fault.target.ref is not None else fault.target.path


def _change(place: Place, chain: Chain, path: str, change: Callable[[bytes], bytes]) -> None:
    place.rewrite(chain, path, change(place.store(chain).read_bytes(path)))


def _said(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _kind(name: str, item: bool) -> str:
    """What a file of a partition is called whatever it is of."""
    place = PurePosixPath(name)
    return f"*{place.suffix}" if item else f"{place.parts[0]}/{place.name}" if len(place.parts) > 1 else name
