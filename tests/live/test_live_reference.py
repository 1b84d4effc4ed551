"""The published reference sets lie where `minemap reference fetch` looks for them; nothing is downloaded."""

from collections.abc import Callable

import httpx
import pytest

from minemap_assets.reference.published_sets import DATASETS

pytestmark = pytest.mark.live

FILES = [
    pytest.param(dataset.name, address, id=f"{dataset.name} {name}")
    for dataset in DATASETS.values()
    for name, address in dataset.files.items()
]


@pytest.mark.parametrize(("name", "address"), FILES)
def test_the_file_is_there(reach: Callable[[str], None], name: str, address: str) -> None:
    reach(address)
    answer = httpx.head(address, follow_redirects=True, timeout=30.0)
    assert answer.status_code == 200
    assert "html" not in answer.headers.get("Content-Type", "")
    stated = DATASETS[name].megabytes
    size = answer.headers.get("Content-Length")
    if stated is not None and size is not None:
        assert int(size) < 1.5 * stated * 1e6
