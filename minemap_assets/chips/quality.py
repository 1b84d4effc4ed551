"""Quality rules of chips, as plain functions over their index."""

from collections.abc import Sequence

import pandas as pd


def empty_chips(index: pd.DataFrame) -> Sequence[int]:
    """Numbers of chips that hold no observed pixel; there should be none."""
    return [int(chip) for chip in index.loc[~(index["observed_fraction"] > 0.0), "chip"]]
