"""How many cores a process keeps busy: no more than there are, and no more than it was told."""

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.cores import JOBS, cores_to_use, process_cores


def test_all_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOBS, raising=False)
    assert cores_to_use() == process_cores() >= 1
    monkeypatch.setenv(JOBS, "1")
    assert cores_to_use() == 1
    monkeypatch.setenv(JOBS, "100000")
    assert cores_to_use() == process_cores()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_what_is_no_number_of_cores_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOBS, text)
    with pytest.raises(BadInputError, match=rf"{JOBS} is '{text}', which is no number of cores"):
        cores_to_use()
