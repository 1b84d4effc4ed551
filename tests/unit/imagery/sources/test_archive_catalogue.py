"""The list of archives: several hands at once, names that stay in their folder, what is lost and what is removed."""

import json
from pathlib import Path

import pytest

from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.sources.archive.catalogue import (
    ROOTS_PATH,
    add_archive,
    read_archives,
    read_roots,
    remove_archive,
)
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.project import Project
from projects import project_at

INDEX = b'{"type": "FeatureCollection", "features": []}'


@pytest.fixture
def store(tmp_path: Path) -> MeddledStore:
    return MeddledStore(tmp_path / "lake")


def snapshot(store: MeddledStore) -> Project:
    return project_at(Path(store.root), Path(store.root).parent / "state")


def test_an_archive_that_somebody_else_adds_meanwhile_stays(store: MeddledStore) -> None:
    store.before_next_write(ROOTS_PATH, lambda other: add_archive(other, "theirs", "/theirs", INDEX))
    assert not add_archive(store, "mine", "/mine", INDEX)
    assert read_roots(snapshot(store)) == {"mine": "/mine", "theirs": "/theirs"}
    store.before_next_write(ROOTS_PATH, lambda other: add_archive(other, "more", "/more", INDEX))
    remove_archive(store, "theirs")
    assert [archive.name for archive in read_archives(snapshot(store))] == ["mine", "more"]


def test_an_archive_that_somebody_else_adds_under_the_same_name_is_replaced(store: MeddledStore) -> None:
    store.before_next_write(ROOTS_PATH, lambda other: add_archive(other, "own", "/theirs", INDEX))
    assert add_archive(store, "own", "/mine", INDEX)
    assert read_roots(snapshot(store)) == {"own": "/mine"}


def test_a_removed_archive_is_not_missed_and_can_be_brought_back(store: MeddledStore) -> None:
    add_archive(store, "own", "/images", INDEX)
    remove_archive(store, "own")
    assert not read_archives(snapshot(store))
    assert add_archive(store, "other", "/other", INDEX) is False
    Inputs(store).restore(ROOTS_PATH, 1)
    with pytest.raises(BadInputError, match=r"own\.geojson is gone; make it again.*restore archive/own\.geojson`"):
        read_archives(snapshot(store))
    Inputs(store).restore("inputs/archive/own.geojson")
    assert [archive.name for archive in read_archives(snapshot(store))] == ["own"]


@pytest.mark.parametrize("path", [ROOTS_PATH, "inputs/archive/own.geojson"])
def test_a_list_or_an_index_that_is_gone_is_not_an_empty_one(store: MeddledStore, path: str) -> None:
    add_archive(store, "own", "/images", INDEX)
    store.delete(path)
    with pytest.raises(BadInputError, match=r"is gone; its last good version is of"):
        read_archives(snapshot(store))
    if path == ROOTS_PATH:
        with pytest.raises(BadInputError, match=r"is gone; its last good version is of"):
            add_archive(store, "other", "/other", INDEX)
    else:
        assert add_archive(store, "own", "/images", INDEX), "indexing it again mends it"
        assert read_archives(snapshot(store))


@pytest.mark.parametrize("name", ["../../../etc/passwd", "../minemap", "a/b", ""])
def test_the_list_names_nothing_outside_of_its_folder(store: MeddledStore, name: str) -> None:
    store.write_bytes(ROOTS_PATH, json.dumps({name: "/images"}).encode())
    with pytest.raises(BadInputError, match=r"archive/roots\.json names an archive "):
        read_archives(snapshot(store))
    with pytest.raises(BadInputError, match="cannot name an archive"):
        add_archive(store, name, "/images", INDEX)
