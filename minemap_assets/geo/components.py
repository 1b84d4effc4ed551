"""Connected components: what belongs together, directly or through others."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def components(count: int, left: npt.ArrayLike, right: npt.ArrayLike) -> Rows:
    """A label for each of `count` things of which left[i] and right[i] belong together; labels follow first
    appearance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int64)


def rows_by_label(labels: Rows) -> list[Rows]:
    """The rows of each label, by label; rows in order."""
    if not len(labels):
        return []
    order = np.argsort(labels, kind="stable").astype(np.int64)
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
