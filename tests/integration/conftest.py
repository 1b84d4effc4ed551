"""What the integration tests share: one finished project on the tiny world."""

import warnings

import pytest

from dagster_project.runner import State
from tiny import Chain


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The tiny world, run to its end without any disturbance; copy it to change it."""
    warnings.simplefilter("ignore")
    chain = Chain(tmp_path_factory.mktemp("finished")).prepared()
    report = chain.run()
    assert not report.failures, report.failures
    assert report.count(State.BLOCKED) == 0
    return chain
