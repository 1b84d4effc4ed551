"""Spatial blocks: sites that must stay together when chips are split into training, validation and test.

What belongs here: which sites share ground or a label's origin. What does not: who goes into which split (chips).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


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
    pairs = [np.column_stack([left, right]), *_shared(groups)]
    edges = np.concatenate(pairs)
    ones = np.ones(len(edges), dtype=np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(len(site_ids), len(site_ids)))
    _, labels = connected_components(graph, directed=False)
    smallest: dict[int, str] = {}
    for label, site in zip(labels.tolist(), site_ids, strict=True):
        smallest[label] = min(smallest.get(label, site), site)
    return [smallest[label] for label in labels.tolist()]


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
