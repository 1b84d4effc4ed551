"""Manifests as they are stored: whatever is changed in one, it is never taken for another true one."""

import json

import pytest

from minemap_assets.errors import StorageError
from minemap_assets.lake.manifests import (
    DamagedError,
    Manifest,
    Missing,
    StoredFile,
    digest,
    manifest_bytes,
    parse_manifest,
)

MANIFEST = Manifest(
    room="imagery",
    asset="imagery",
    keys=("nova", "2019"),
    fingerprint="f" * 64,
    code_version="1",
    inputs={"sites[nova]": "a" * 64},
    settings={"imagery.min_clear_fraction": "0.5"},
    files=(StoredFile(name="index.parquet", path="index.parquet", bytes=30, sha256="0" * 64),),
    missing=(Missing(item="m1", reason="no clear ground", retry=False),),
    summary={"share": 0.25, "note": "é"},
    commit="abcdef",
)


def test_a_manifest_comes_back_as_it_was() -> None:
    assert parse_manifest(manifest_bytes(MANIFEST), MANIFEST.ref, "lake") == MANIFEST


def test_one_byte_that_changed_anywhere_is_damage() -> None:
    data = manifest_bytes(MANIFEST)
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            try:
                found = parse_manifest(bytes(changed), MANIFEST.ref, "lake")
            except DamagedError:
                continue
            # only where it says the same: white space, or another way to write it
            assert json.loads(bytes(changed)) == json.loads(data), (place, bit)
            assert found == MANIFEST


def test_a_manifest_of_an_older_minemap_has_no_seal() -> None:
    data = MANIFEST.model_dump_json().encode()
    assert parse_manifest(data, MANIFEST.ref, "lake") == MANIFEST


def test_a_sealed_manifest_from_before_settings_were_told_can_be_read() -> None:
    raw = {name: value for name, value in MANIFEST.model_dump(mode="json").items() if name != "settings"}
    found = parse_manifest(json.dumps(raw | {"seal": digest(raw)}).encode(), MANIFEST.ref, "lake")
    assert found == MANIFEST.model_copy(update={"settings": {}})


def test_a_newer_layout_is_told_from_a_damaged_one() -> None:
    newer = json.loads(manifest_bytes(MANIFEST)) | {"layout": 9, "more": "x"}
    with pytest.raises(DamagedError):
        parse_manifest(json.dumps(newer).encode(), MANIFEST.ref, "lake")
    del newer["seal"]
    with pytest.raises(StorageError, match="newer minemap"):
        parse_manifest(json.dumps(newer | {"seal": digest(newer)}).encode(), MANIFEST.ref, "lake")
