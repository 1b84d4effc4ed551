"""Which assets a command is about.

What belongs here: reading `--select`. What does not: regions and years.
"""

from dataclasses import dataclass

import dagster as dg

from minemap_assets.errors import BadInputError
from minemap_assets.graph.recipes import Recipe
from minemap_assets.messages import suggestion

TRAINING = frozenset({"reference_imagery", "training_chips", "segmentation_model", "model_evaluation"})


@dataclass(frozen=True)
class Selection:
    """Asset keys, as `room/asset`."""

    names: frozenset[str]

    def holds(self, recipe: Recipe) -> bool:
        """True where the recipe's asset is selected."""
        return f"{recipe.room}/{recipe.asset}" in self.names

    @property
    def trains(self) -> bool:
        """True where the selection needs what training needs."""
        return any(name.split("/")[1] in TRAINING for name in self.names)


def parse_selection(text: str | None, definitions: dg.Definitions) -> Selection:
    """Assets or rooms by name, comma-separated; `+` before or after adds everything upstream or downstream.

    Raises `BadInputError` for a name that is neither.
    """
    graph = definitions.resolve_asset_graph()
    keys = sorted(graph.materializable_asset_keys)
    if text is None or text.strip() in ("", "*"):
        return Selection(frozenset(k.to_user_string() for k in keys))
    chosen: set[str] = set()
    for token in (t.strip() for t in text.split(",") if t.strip()):
        name = token.strip("+")
        found = [k for k in keys if name in (k.path[-1], k.to_user_string())] or [k for k in keys if k.path[0] == name]
        if not found:
            rooms = sorted({k.path[0] for k in keys})
            meant = suggestion(name, [*rooms, *(k.path[-1] for k in keys)])
            raise BadInputError(
                f"--select: {name!r} is neither an asset nor a room{meant}; rooms are {', '.join(rooms)}, "
                "and `minemap status` lists the assets"
            )
        selection: dg.AssetSelection = dg.AssetSelection.assets(*found)
        if token.startswith("+"):
            selection = selection.upstream()
        if token.endswith("+"):
            selection = selection | dg.AssetSelection.assets(*found).downstream()
        chosen |= {k.to_user_string() for k in selection.resolve(graph)}
    if not chosen:
        raise BadInputError(f"--select: {text!r} names nothing; write assets or rooms, such as sites,imagery")
    return Selection(frozenset(chosen))
