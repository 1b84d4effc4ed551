"""Tables for files that know no lists: lists become one text, and nulls stay what they are."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SEPARATOR = "; "
"""Between the values of a list, in files that hold a list as text."""


def flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The same rows with every list joined to a text, empty where the list is; the geometry stays as it is."""
    import numpy as np
    import pandas as pd

    changed = {
        str(name): pd.Series([_joined(value) for value in column], index=frame.index, dtype="str")
        for name, column in frame.items()
        if name != "geometry"
        and column.dtype == object
        and any(isinstance(value, list | tuple | np.ndarray) for value in column)
    }
    return frame.assign(**changed) if changed else frame


def _joined(value: Any) -> str | None:
    return None if value is None else SEPARATOR.join(str(one) for one in value)
