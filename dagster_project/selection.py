"""Which assets `--select` names."""

from collections.abc import Sequence

from minemap_assets.errors import BadInputError
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.messages import suggestion


def parse_selection(text: str | None, graph: Graph) -> frozenset[Asset]:
    """Assets or rooms by name, comma-separated; `+` before or after adds everything upstream or downstream.

    Raises `BadInputError` for a name that is neither.
    """
    if text is None or text.strip() in ("", "*"):
        return frozenset(graph.assets)
    chosen = set[Asset]()
    for token in (t.strip() for t in text.split(",") if t.strip()):
        found = _named(token.strip("+"), graph)
        chosen |= set(found)
        if token.startswith("+"):
            chosen |= graph.closure(found, upstream=True)
        if token.endswith("+"):
            chosen |= graph.closure(found, upstream=False)
    if not chosen:
        raise BadInputError(f"--select: {text!r} names nothing; write assets or rooms, such as sites,imagery")
    return frozenset(chosen)


def _named(name: str, graph: Graph) -> Sequence[Asset]:
    found = [a for a in graph.assets if name in (a.name, str(a))] or [a for a in graph.assets if a.room == name]
    if not found:
        rooms = sorted({a.room for a in graph.assets})
        meant = suggestion(name, [*rooms, *(a.name for a in graph.assets)])
        raise BadInputError(
            f"--select: {name!r} is neither an asset nor a room{meant}; rooms are {', '.join(rooms)}, "
            "and `minemap status` lists the assets"
        )
    return found
