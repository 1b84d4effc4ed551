"""Properties of features as vector tiles hold them: a table of values, and numbers that point into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.publication.tiles.varints import framed, varints

ABSENT = -1

_VALUE = 0x22
_STRING, _FLOAT, _UINT = 0x0A, 0x15, 0x28
"""Fields with their wire types: a value of a layer, and in it a text, a 32 bit number or a whole number from zero."""


@dataclass(frozen=True)
class Properties:
    """The properties of n features: their names, for each feature and name the place of its value in `values`
    (n, names; ABSENT where it has none), and the values as a layer holds them.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    values: npt.NDArray[np.object_]

    def take(self, rows: npt.NDArray[np.intp]) -> "Properties":
        """Those of some features, in the order asked for."""
        return Properties(self.names, self.codes[rows], self.values)

    def only(self, names: tuple[str, ...]) -> "Properties":
        """Some of the properties."""
        return Properties(names, self.codes[:, [self.names.index(name) for name in names]], self.values)

    def beside(self, others: "Properties") -> "Properties":
        """The properties of both, of the same features."""
        moved = np.where(others.codes == ABSENT, ABSENT, others.codes + len(self.values))
        codes, values = np.concatenate([self.codes, moved], axis=1), np.concatenate([self.values, others.values])
        return Properties((*self.names, *others.names), codes, values)

    def where(self, rows: npt.NDArray[np.bool_]) -> "Properties":
        """The same for the features of `rows`, and nothing for the others."""
        return Properties(self.names, np.where(rows[:, None], self.codes, ABSENT), self.values)


def properties(columns: Mapping[str, Any], count: int) -> Properties:
    """Properties from series or arrays of one length: whole numbers (from zero), numbers (kept in 32 bits), or text.

    Nulls and NaN are left out of the feature that has them.
    """
    codes = np.full((count, len(columns)), ABSENT, dtype=np.int64)
    values: list[bytes] = []
    for place, column in enumerate(columns.values()):
        numbers, uniques = pd.factorize(pd.Series(column), sort=True)
        codes[:, place] = np.where(numbers < 0, ABSENT, numbers + len(values))
        values += _messages(pd.Series(uniques))
    held = np.empty(len(values), dtype=object)
    held[:] = values
    return Properties(tuple(columns), codes, held)


def _messages(uniques: "pd.Series[Any]") -> list[bytes]:
    """Different values of one type as a layer holds them."""
    if pd.api.types.is_integer_dtype(uniques.dtype):
        found = [bytes([_UINT]) + varints(np.array([int(value)])).tobytes() for value in uniques]
    elif pd.api.types.is_float_dtype(uniques.dtype):
        found = [bytes([_FLOAT]) + one.tobytes() for one in uniques.to_numpy(dtype="<f4")]
    else:
        found = [framed(_STRING, str(value).encode()) for value in uniques]
    return [framed(_VALUE, one) for one in found]
