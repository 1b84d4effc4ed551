"""JSON for the page: what is not known is null, and the same values give the same bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from minemap_assets.publication.map.json_files import number, whole, words, write_json


def test_what_is_not_known_is_null() -> None:
    assert [number(value) for value in (None, np.nan, pd.NA, 1.23456789, 0)] == [None, None, None, 1.2346, 0.0]
    assert [whole(value) for value in (None, pd.NA, np.int32(3))] == [None, None, 3]
    assert [words(value) for value in (None, np.nan, "", "a")] == [None, None, "", "a"]


def test_no_number_is_written_that_json_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "a.json")


def test_the_order_of_names_changes_nothing(tmp_path: Path) -> None:
    for name, value in (("a", {"x": 1, "y": "é"}), ("b", {"y": "é", "x": 1})):
        write_json(value, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == '{"x":1,"y":"é"}'.encode()
