"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

VARIABLE = "MINEMAP_TEST_DATA"

settings.register_profile("minemap", deadline=None)  # how long an example takes says nothing on a busy machine
settings.load_profile("minemap")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real test data."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"set {VARIABLE} to the folder of real test data to run this test")
    return Path(folder).absolute()
