"""What of a project entered a partition's fingerprint, by names that people know: `polygons.window`, `regions.north`.

A fingerprint says that something differs; these names and short texts, kept in the manifest beside it, say what.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minemap_assets.graph.context import Keys
from minemap_assets.graph.partitioning import REGION
from minemap_assets.graph.statement import Asset
from minemap_assets.project.project import Project
from minemap_assets.project.settings import General

REGIONS = "regions"
"""`regions.north` is the boundary of that region."""

HASHED = "sha256:"
"""How the text of a value begins that is too long to be shown."""

_LONGEST = 80


def setting_texts(project: Project, asset: Asset, keys: Keys, config: Any) -> dict[str, str]:
    """What `config`, as the asset's `settings` gave it for these keys, says: JSON texts by dotted names, sorted.

    A value of the settings file has its name there; others begin with the asset's name. Long values are
    `sha256:` and twelve digits.
    """
    found: dict[str, str] = {}
    for name, value in _named(project, asset, keys, config):
        found.update(_flat(name, value))
    return dict(sorted(found.items()))


def in_words(project: Project, name: str) -> str:
    """What a dotted name means, for a sentence."""
    first, _, rest = name.partition(".")
    if first == REGIONS:
        return f"the boundary of region {rest}"
    if "[" in name:
        return f"what {name} stands for"
    return f"setting {name}" if _is_setting(project, name) else name


def _named(project: Project, asset: Asset, keys: Keys, config: Any) -> Iterator[tuple[str, Any]]:
    """The outermost values with their names; of a list, those of its tables, and the others as the statement says."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            yield _outer_name(project, asset, keys, str(name), value), value
    elif isinstance(config, list | tuple):
        for number, value in enumerate(config):
            if isinstance(value, Mapping):
                yield from _named(project, asset, keys, value)
            else:
                yield _position(asset, number), value
    else:
        yield f"{asset.name}.{asset.name}", config


def _position(asset: Asset, number: int) -> str:
    known = asset.setting_names
    return known[number] if number < len(known) else f"{asset.name}.{number + 1}"


def _outer_name(project: Project, asset: Asset, keys: Keys, name: str, value: Any) -> str:
    if name == REGION and REGION in asset.partitions.names:
        return f"{REGIONS}.{keys[asset.partitions.names.index(REGION)]}"
    if name in project.regions and isinstance(value, str):
        return f"{REGIONS}.{name}"
    if isinstance(value, Mapping) and _is_section(project, name):
        return name
    if name in General.model_fields:
        return name
    inside = f"{asset.room}.{name}"
    return inside if _is_setting(project, inside) else f"{asset.name}.{name}"


def _is_section(project: Project, name: str) -> bool:
    return any(section.name == name for section in project.parts.sections)


def _is_setting(project: Project, name: str) -> bool:
    """True for a name of the settings file, or of something below it."""
    if name in General.model_fields:
        return True
    return any(
        name.startswith(f"{section.name}.")
        and name.removeprefix(f"{section.name}.").split(".")[0] in section.model.model_fields
        for section in project.parts.sections
    )


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif _is_named_list(value):
        yield name, _text([key for key, _ in value])
        for key, inner in value:
            yield f"{name}[{key}]", _text(inner)
    else:
        yield name, _text(value)


def _is_named_list(value: Any) -> bool:
    """True for a list of pairs, each a name and a value."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return False
    return all(isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) for one in value)


def _text(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{HASHED}{hashlib.sha256(text.encode()).hexdigest()[:12]}"
