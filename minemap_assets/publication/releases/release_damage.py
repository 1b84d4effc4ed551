"""What of the frozen releases is not as it was frozen. Nothing makes a release again, so nothing is set aside here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.publication.releases.frozen import RELEASES, FrozenFile, card_path, read_card

BACK = "bring it back from a backup"


@dataclass
class Amount:
    """How much was read."""

    files: int = 0
    bytes: int = 0


def release_damage(
    store: Store, amount: Amount, holds: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, str]]:
    """Paths in the lake with a sentence on each that is damaged, gone, or was never a part of its release.

    Only paths that `holds` accepts are looked at. Every byte of these is read; `amount` counts them.
    """
    there = set(store.list(RELEASES))
    folders = sorted({"/".join(path.split("/")[:2]) for path in there if path.count("/") > 1})
    for folder in folders:
        inside = {path for path in there if path.startswith(f"{folder}/")}
        for path, sentence in _of_release(store, folder, inside, amount, holds):
            yield path, f"{store.root}/{path} {sentence}"


def _of_release(
    store: Store, folder: str, inside: set[str], amount: Amount, holds: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    card = card_path(folder)
    if card not in inside:
        if holds(card):
            yield card, f"is gone, or `minemap release freeze` was interrupted: {BACK}, or remove the folder"
        return
    store.forget(card)
    try:
        release = read_card(store, card)
    except BadInputError:
        if holds(card):
            yield card, f"is not as it was frozen: {BACK}"
        return
    known = {f"{folder}/{one.path}": one for one in release.files}
    for path in sorted(filter(holds, known)):
        sentence = _of_file(store, path, known[path], amount)
        if sentence:
            yield path, sentence
    for path in sorted(filter(holds, inside - known.keys() - {card})):
        yield path, f"is not a part of release {release.label}: remove it"


def _of_file(store: Store, path: str, known: FrozenFile, amount: Amount) -> str:
    """What is wrong with a file of a release; empty where nothing is."""
    store.forget(path)
    try:
        same = file_sha256(store.fetch(path)) == known.sha256
    except NotFoundError:
        return f"is gone from its release: {BACK}"
    amount.files += 1
    amount.bytes += known.bytes
    return "" if same else f"is not as it was frozen: {BACK}"
