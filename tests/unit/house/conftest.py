import pytest

from house import Project


@pytest.fixture(scope="session")
def project() -> Project:
    return Project()
