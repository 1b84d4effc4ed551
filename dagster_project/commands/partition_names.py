"""Partitions as people write them: `imagery/imagery[north|2020]`, `imagery[north|2020]`, `imagery north 2020`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import Keys
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import YEAR, Dimension
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.messages import shown, suggestion
from minemap_assets.project.project import Project

_WORDS = re.compile(r"[|,/\s\[\]]+")
_LISTED = 12


@dataclass(frozen=True)
class Named:
    """What a person named: a partition of an asset, or the asset as a whole, with None for its keys."""

    asset: Asset
    keys: Keys | None


def long_name(ref: PartitionRef) -> str:
    """A partition with its room, as `minemap explain` takes it: `imagery/imagery[north|2020]`."""
    return f"{ref.room}/{ref}"


def parse_partition(text: str, graph: Graph, project: Project) -> Named:
    """What a name means. Raises `BadInputError` with the most similar names for one that means nothing.

    Keys may stand in any order, the only region need not be named, and the path of a partition's folder is a name too.
    """
    text = text.strip().removeprefix(project.lake.store.root)
    words = [word for word in _WORDS.split(text) if word]
    if not words:
        raise BadInputError("no partition is named; write one such as 'imagery[north|2020]'")
    _check_room(text, words, graph)
    asset, keys = _asset(words, graph)
    return Named(asset, _keys(asset, keys, project) if keys or not asset.partitions.names else None)


def _check_room(text: str, words: Sequence[str], graph: Graph) -> None:
    """Raises `BadInputError` where a path names a room and nearly an asset of it."""
    names = [asset.name for asset in graph.assets if asset.room == words[0]]
    if len(words) > 1 and text.lstrip("/").startswith(f"{words[0]}/") and words[1] not in names:
        meant = suggestion(words[1], names)
        if meant or (names and words[0] not in [asset.name for asset in graph.assets]):
            raise BadInputError(f"the room {words[0]} has no asset {shown(words[1])}{meant}; it has {', '.join(names)}")


def _asset(words: Sequence[str], graph: Graph) -> tuple[Asset, list[str]]:
    """The asset that the first words name, and the other words."""
    if len(words) > 1:
        for asset in graph.assets:
            if (asset.room, asset.name) == (words[0], words[1]):
                return asset, list(words[2:])
    found = [asset for asset in graph.assets if asset.name == words[0]]
    if len(found) == 1:
        return found[0], list(words[1:])
    rooms = sorted({asset.room for asset in graph.assets})
    if words[0] in rooms:
        names = [asset.name for asset in graph.assets if asset.room == words[0]]
        raise BadInputError(f"{words[0]} is a room and no asset; its assets are {', '.join(names)}")
    meant = suggestion(words[0], [asset.name for asset in graph.assets])
    raise BadInputError(f"there is no asset {shown(words[0])}{meant}; `minemap status` lists the assets")


def _keys(asset: Asset, words: Sequence[str], project: Project) -> Keys:
    dimensions = asset.partitions.dimensions
    names = [dimension.name for dimension in dimensions]
    if not dimensions and words:
        raise BadInputError(f"{asset} has no partitions; write `minemap explain {asset}`")
    if len(words) < len(dimensions):
        words = [*words, *_only_keys(dimensions, words, project)]
    if len(words) != len(dimensions):
        example = "|".join(_example(dimension, words, project) for dimension in dimensions)
        what = "lacks " + " and ".join(_unnamed(dimensions, words, project)) if len(words) < len(names) else "has more"
        raise BadInputError(
            f"{asset} has a partition for each {' and '.join(names)}, and '{' '.join(words)}' {what}; write "
            f"'{asset}[{example}]', or only '{asset}' for all of them"
        )
    known = [_known(asset, number, project) for number in range(len(dimensions))]
    for order in permutations(words):
        if all(word in keys for word, keys in zip(order, known, strict=True)):
            return tuple(order)
    raise BadInputError(_unknown(asset, words, known))


def _known(asset: Asset, number: int, project: Project) -> list[str]:
    """Keys of one dimension: those of the project, and those that only the lake still has."""
    kept = {ref.keys[number] for ref in project.lake.refs(asset.room, asset.name) if len(ref.keys) > number}
    return sorted({*asset.partitions.dimensions[number].keys(project), *kept})


def _only_keys(dimensions: Iterable[Dimension], words: Iterable[str], project: Project) -> list[str]:
    """What need not be said: the key of each dimension that has only one, where no word names it."""
    only = [list(d.keys(project)) for d in dimensions]
    return [keys[0] for keys in only if len(keys) == 1 and keys[0] not in words]


def _unnamed(dimensions: Iterable[Dimension], words: Iterable[str], project: Project) -> list[str]:
    """Dimensions of which no word is a key; all where that tells nothing."""
    left = [d.name for d in dimensions if not set(words) & set(d.keys(project))]
    return [f"the {name}" for name in left] or ["one of them"]


def _example(dimension: Dimension, words: Iterable[str], project: Project) -> str:
    keys = list(dimension.keys(project))
    given = [word for word in words if word in keys]
    return given[0] if given else (keys or [dimension.name.upper()])[0]


def _unknown(asset: Asset, words: Sequence[str], known: Sequence[Sequence[str]]) -> str:
    """A sentence on the first word that is no key."""
    taken = [next((n for n, keys in enumerate(known) if word in keys), None) for word in words]
    number = next((n for n, place in enumerate(taken) if place is None), 0)
    word = words[number]
    free = next((n for n in range(len(known)) if n not in taken), number)
    name, keys = asset.partitions.names[free], known[free]
    if name == YEAR and keys:
        return f"{asset} has no year {shown(word)}; years run from {keys[0]} to {keys[-1]}"
    listed = ", ".join(keys[:_LISTED]) + (", ..." if len(keys) > _LISTED else "")
    return f"{asset} has no {name} {shown(word)}{suggestion(word, keys)}; there is {listed or 'none yet'}"
