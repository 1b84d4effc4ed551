"""Which assets `--select` names.

A bare name is an asset, or `room/name` for exactly one; `room:name` and `name/*` are a whole room; `+` before or after
adds everything upstream or downstream, but for what is made on request and follows from what is not; `*` is
everything. A name that may mean two things is never guessed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minemap_assets.errors import BadInputError
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.messages import suggestion

OPTION = "--select"
ROOM, ALL_OF, EVERYTHING = "room:", "/*", "*"

_TOKEN = re.compile(r"(?P<up>\++)?(?P<name>[^+]*)(?P<down>\++)?")


@dataclass(frozen=True)
class Choice:
    """One thing that a name may mean: how that is written, and what it is in words."""

    spelling: str
    meaning: str


class UnclearError(BadInputError):
    """A name that may mean something, but does not say which of the `choices`."""

    def __init__(self, sentence: str, name: str, choices: Sequence[Choice]) -> None:
        super().__init__(sentence)
        self.name = name
        self.choices = tuple(choices)


Choose = Callable[[UnclearError], str]
"""Is asked which spelling is meant, or raises the error itself."""


def refuse(unclear: UnclearError) -> str:
    """Ask nobody."""
    raise unclear


def parse_selection(text: str | None, graph: Graph, choose: Choose = refuse) -> frozenset[Asset]:
    """The assets that a comma-separated selection names; without one, all but those
    of rooms that are made on request.

    Raises `BadInputError` for what it does not understand, and `UnclearError` where `choose` does.
    """
    if text is None:
        return graph.standard
    if not text.strip(" ,"):
        raise BadInputError(
            f"{OPTION}: {text!r} names nothing; write assets such as sites,imagery, or leave {OPTION} out for "
            "everything"
        )
    chosen = set[Asset]()
    for token in text.split(","):
        chosen |= _assets(token.strip(), text, graph, choose)
    return frozenset(chosen)


def _assets(token: str, text: str, graph: Graph, choose: Choose) -> set[Asset]:
    parts = _TOKEN.fullmatch(token)
    if not token:
        raise BadInputError(f"{OPTION}: {text!r} has a comma too many; write names such as sites,imagery")
    if " " in token:
        raise BadInputError(f"{OPTION}: {token!r} has a space in it; write commas between names, and `+` close to one")
    if parts is None or len(parts["up"] or "") > 1 or len(parts["down"] or "") > 1 or not parts["name"]:
        raise BadInputError(
            f"{OPTION}: {token!r} is not understood; one `+` before a name adds all that it needs, one after it all "
            "that follows, as in +raw_masks or sites+"
        )
    found = set(_named(parts["name"], graph, choose))
    up = graph.closure(found, upstream=True) if parts["up"] else frozenset[Asset]()
    down = graph.closure(found, upstream=False) if parts["down"] else frozenset[Asset]()
    # what is made on request does not follow from what is always made
    return found | up | (down & graph.standard if graph.standard.issuperset(found) else down)


def _named(name: str, graph: Graph, choose: Choose) -> Sequence[Asset]:
    if name == EVERYTHING:
        return graph.assets
    if name.startswith(ROOM) or name.endswith(ALL_OF):
        return _of_room(name.removeprefix(ROOM).removesuffix(ALL_OF), graph)
    exact = [a for a in graph.assets if str(a) == name]
    if exact:
        return exact
    choices = _choices(name, graph)
    if not choices:
        raise _unknown(name, graph)
    if len(choices) == 1 and not choices[0].spelling.endswith(ALL_OF):
        return [a for a in graph.assets if str(a) == choices[0].spelling]
    return _named(choose(_unclear(name, choices)), graph, choose)


def _choices(name: str, graph: Graph) -> list[Choice]:
    """What a bare name may mean; a room is none beside an asset of its own that has its name."""
    named = [a for a in graph.assets if a.name == name]
    choices = [Choice(str(a), f"the asset {a.name} of the room {a.room}") for a in named]
    inside = [a for a in graph.assets if a.room == name]
    if inside and all(a.room != name for a in named):
        count = f"{len(inside)} assets" if len(inside) > 1 else "one asset"
        choices.append(Choice(f"{name}{ALL_OF}", f"the room {name} with its {count}"))
    return choices


def _unclear(name: str, choices: Sequence[Choice]) -> UnclearError:
    if len(choices) == 1:
        sentence = f"{name!r} is a room and no asset; write {choices[0].spelling} for all of it"
    else:
        sentence = f"{name!r} may mean " + " or ".join(f"{c.meaning} ({c.spelling})" for c in choices) + "; say which"
    return UnclearError(f"{OPTION}: {sentence}", name, choices)


def _of_room(room: str, graph: Graph) -> Sequence[Asset]:
    found = [a for a in graph.assets if a.room == room]
    if not found:
        rooms = sorted({a.room for a in graph.assets})
        raise BadInputError(
            f"{OPTION}: there is no room {room!r}{suggestion(room, rooms)}; rooms are {', '.join(rooms)}"
        )
    return found


def _unknown(name: str, graph: Graph) -> BadInputError:
    rooms = sorted({a.room for a in graph.assets})
    spellings = [*(a.name for a in graph.assets), *(str(a) for a in graph.assets), *(f"{r}{ALL_OF}" for r in rooms)]
    known = [*spellings, *rooms]
    meant = suggestion(name, known) or suggestion(name.rsplit("/", 1)[-1].rsplit(":", 1)[-1], known)
    return BadInputError(
        f"{OPTION}: {name!r} is neither an asset nor a room{meant}; a room is written such as {rooms[0]}{ALL_OF}, and "
        "`minemap status` lists the assets"
    )
