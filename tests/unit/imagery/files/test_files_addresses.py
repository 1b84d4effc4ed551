"""Where an index may say that files lie: below the archive's root, or at a whole web address."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import BANDS4, GRID, stack, write_tif
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.addresses import address, check_href, file_at, is_web, shown
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource

PIXELS = stack(np.full((64, 64), 2000.0))
RULES = ArchiveRules(bands=BANDS4, date="2021-07-01")
LONGEST = 700


@pytest.mark.parametrize(
    ("root", "href"),
    [
        ("/data/a", "/etc/a.tif"),
        ("/data/a", "/data/a/b.tif"),
        ("/data/a", "../b.tif"),
        ("/data/a", "b/../../c.tif"),
        ("/data/a", ".."),
        ("/data/a", "..\\b.tif"),
        ("/data/a", "file:/etc/a.tif"),
        ("/data/a", "file:///etc/a.tif"),
        ("/data/a", "FILE:///etc/a.tif"),
        ("/data/a", "/vsicurl/http://h.org/a.tif"),
        ("/data/a", "/vsimem/a.tif"),
        ("/data/a", "ftp://h.org/a.tif"),
        ("/data/a", "s3://bucket/a.tif"),
        ("/data/a", "zip+https://h.org/a.zip"),
        ("https://h.org/a", "../b.tif"),
        ("https://h.org/a", "%2e%2e/b.tif"),
        ("https://h.org/a", "/b.tif"),
        ("https://h.org/a", "gs://bucket/a.tif"),
        ("s3://bucket/a", "gs://bucket/a.tif"),
        ("s3://bucket/a", "b/..%2f../c.tif"),
        ("/data/a", ""),
        ("/data/a", "a\nb.tif"),
        ("/data/a", "a\0b.tif"),
        ("/data/a", "a\udcffb.tif"),
    ],
)
def test_what_leads_out_of_the_root_is_refused(root: str, href: str) -> None:
    with pytest.raises(BadInputError) as refused:
        address(root, href)
    assert repr(href) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("root", "href"),
    [
        ("/data/a", "b/c..d.tif"),
        ("/data/a", "2021:07:01.tif"),
        ("/data/a", "GTI:a.tif"),
        ("/data/a", "b/ä ö.tif"),
        ("/data/a", "https://h.org/a.tif"),
        ("s3://bucket/a", "s3://other/a.tif"),
    ],
)
def test_what_lies_below_the_root_or_has_a_whole_web_address_is_taken(root: str, href: str) -> None:
    check_href(root, href)


def archive(folder: Path) -> dict[str, Any]:
    """The index of one image, as GeoJSON."""
    write_tif(folder / "a.tif", PIXELS, GRID.affine)
    report = index_archive(str(folder), name="t", product="planet-nicfi", rules=RULES)
    return dict(json.loads(report.features))


@pytest.mark.parametrize("place", ["assets", "clouds"])
def test_an_index_that_leads_elsewhere_is_refused_by_its_name(tmp_path: Path, place: str) -> None:
    index = archive(tmp_path / "images")
    write_tif(tmp_path / "secret.tif", PIXELS, GRID.affine)
    (asset, *_) = index["features"][0]["assets"]
    if place == "clouds":
        index["features"][0]["assets"].append({"role": "cloud-mask", "href": "../secret.tif", "rule": "*_CLM*=1"})
    else:
        asset["href"] = "../secret.tif"
    with pytest.raises(BadInputError, match=r"^the index of the archive t cannot be used \('../secret.tif' leads upw"):
        read_index("t", str(tmp_path / "images"), json.dumps(index).encode())


def test_a_link_that_leads_out_is_refused_and_one_within_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "images"
    index = json.dumps(archive(root)).encode()
    source = ArchiveSource("planet-nicfi", [read_index("t", str(root), index)])
    (root / "a.tif").rename(root / "b.dat")
    (root / "a.tif").symlink_to("b.dat")
    season = SeasonRule().season(2021)
    assert source.read(GRID, season, BANDS4).clear_fraction == 1.0
    (root / "b.dat").rename(tmp_path / "b.dat")
    (root / "a.tif").unlink()
    (root / "a.tif").symlink_to(tmp_path / "b.dat")
    with pytest.raises(BadInputError, match=r"a\.tif is a link that leads out of .*images; put the file itself there"):
        source.read(GRID, season, BANDS4)
    refused = index_archive(str(root), name="t", product="planet-nicfi", rules=RULES).refused
    assert ["leads out of" in r.reason for r in refused] == [True]
    (root / "a.tif").unlink()
    (root / "a.tif").symlink_to("a.tif")
    with pytest.raises(BadInputError):
        source.read(GRID, season, BANDS4)


def test_a_root_that_is_a_link_is_a_root(tmp_path: Path) -> None:
    index = json.dumps(archive(tmp_path / "images")).encode()
    (tmp_path / "link").symlink_to(tmp_path / "images")
    source = ArchiveSource("planet-nicfi", [read_index("t", str(tmp_path / "link"), index)])
    assert source.read(GRID, SeasonRule().season(2021), BANDS4).clear_fraction == 1.0


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, '{"features": [' + "9" * 10_000 + "]}", '{"features": [1, null, "x"]}', "\xff"],
    ids=["empty", "list", "mapping", "nested", "digits", "no features", "no text"],
)
def test_what_is_no_index_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(BadInputError, match=r"^the index of the archive t cannot be (read|used) \(.*index the archive"):
        read_index("t", "/data", text.encode("latin-1"))


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return archive(tmp_path_factory.mktemp("valid"))


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in nested lists and mappings."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, below in items for place in places(below, (*above, key)))]


def test_a_path_behind_a_zip_archive_leads_into_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.SAFE.ZIP").write_bytes(b"PK")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "folder.zip" / "c.tif").write_bytes(b"II")
    found = address(str(tmp_path), "a/b.SAFE.ZIP/b.SAFE/c.jp2")
    assert found == f"/vsizip/{{{tmp_path}/a/b.SAFE.ZIP}}/b.SAFE/c.jp2"
    assert (is_web(found), file_at(found)) == (False, tmp_path / "a" / "b.SAFE.ZIP")
    assert shown(found) == f"{tmp_path}/a/b.SAFE.ZIP/b.SAFE/c.jp2"
    assert address(str(tmp_path), "folder.zip/c.tif") == f"{tmp_path}/folder.zip/c.tif"
    assert address("https://h.org/a", "b.zip/c.tif") == "/vsicurl/https://h.org/a/b.zip/c.tif"


def test_no_path_leads_out_through_a_zip_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "out.zip").write_bytes(b"PK")
    (tmp_path / "archive" / "link.zip").symlink_to(tmp_path / "out.zip")
    (tmp_path / "archive" / "a{.zip").write_bytes(b"PK")
    for href, reason in (
        ("link.zip/a.jp2", "is a link that leads out of"),
        ("link.zip/../../a.jp2", "leads upwards"),
        ("a{.zip/b}/c.jp2", "has a brace in its name"),
    ):
        with pytest.raises(BadInputError, match=reason):
            address(str(tmp_path / "archive"), href)


absurd = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(10**40), 10**40),
    st.sampled_from(["", "..", "/etc", "file:a", "a\nb", "x" * 5000, [], {}, [[1e300, 1e300]], "9999-99-99", 1e308]),
    st.text(max_size=5),
)


@settings(max_examples=200)
@given(st.data())
def test_an_index_with_something_else_in_any_place(valid: dict[str, Any], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([p for p in places(valid) if p]))
    changed = copy.deepcopy(valid)
    here: Any = changed
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = data.draw(absurd)
    told = ""
    try:
        images = read_index("t", "/data", json.dumps(changed).encode()).images
    except BadInputError as error:
        images, told = (), str(error)
    assert "\n" not in told
    assert len(told) < LONGEST
    for image in images:
        assert image.geometry.bounds[2] <= 360
        assert all(a.href.startswith(("http", "a")) or ".." not in a.href for a in image.assets)
