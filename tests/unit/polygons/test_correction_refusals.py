"""Corrections that cannot be read are refused before anything is written."""

from pathlib import Path

import pytest
from shapely.geometry import box

from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake
from minemap_assets.polygons.correction_edits import Saying, add_corrections, feature_of
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH


def test_a_correction_without_a_reason_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    store = Lake.local(tmp_path / "home", tmp_path / "state").store
    said = Saying("Ada", "2026-11-22", "a pond", "reject")
    add_corrections(store, [feature_of(box(0, 0, 1, 1), said, {})])
    before = store.read_bytes(CORRECTIONS_PATH)
    with pytest.raises(BadInputError, match="correction 2 has no reason"):
        add_corrections(store, [feature_of(box(2, 2, 3, 3), Saying("Ada", "2026-11-22", "", "reject"), {})])
    assert store.read_bytes(CORRECTIONS_PATH) == before
