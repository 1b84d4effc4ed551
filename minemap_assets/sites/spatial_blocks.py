"""Spatial blocks: sites that must stay together when chips are split into training, validation and test."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.components import components


def split_groups(
    site_ids: Sequence[str], windows: npt.NDArray[np.object_], groups: Sequence[Sequence[str]]
) -> list[str]:
    """The block of each site: sites whose windows overlap or that share a group, directly or through others.

    `windows` are in one CRS; `groups` are the groups of each site's polygons. A block is named after its smallest
    site_id, so the name stays while the block does. A random split of overlapping windows would show a model its
    validation ground.
    """
    if not len(site_ids):
        return []
    left, right = shapely.STRtree(windows).query(windows, predicate="intersects")
    edges = np.concatenate([np.column_stack([left, right]), *_shared(groups)])
    labels = components(len(site_ids), *edges.T).tolist()
    smallest: dict[int, str] = {}
    for label, site in zip(labels, site_ids, strict=True):
        smallest[label] = min(smallest.get(label, site), site)
    return [smallest[label] for label in labels]


def _shared(groups: Sequence[Sequence[str]]) -> list[npt.NDArray[np.int64]]:
    """Pairs (first site of a group, each site of it)."""
    first: dict[str, int] = {}
    pairs = [
        (first.setdefault(group, position), position)
        for position, names in enumerate(groups)
        for group in names
        if group
    ]
    return [np.array(pairs, dtype=np.int64)] if pairs else []
