"""The settings of the map, and what a basemap changes."""

import pytest
from pydantic import ValidationError

from minemap_assets.publication.map.config import MapConfig, origin_of
from minemap_assets.publication.map.static_files import CONNECT, static_files

TILES = "https://tiles.example.org:8443/{z}/{x}/{y}.png"


@pytest.mark.parametrize(
    "wrong",
    [
        "tiles/{z}/{x}/{y}.png",
        "ftp://tiles.example.org/{z}/{x}/{y}",
        "https://tiles.example.org/a.png",
        "https://tiles.example.org; script-src */{z}/{x}/{y}",
        "https://u:p@tiles.example.org/{z}/{x}/{y}",
    ],
)
def test_an_address_that_is_no_basemap_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="write an address such as"):
        MapConfig(basemap_url=wrong)


def test_only_the_host_of_a_basemap_may_be_asked() -> None:
    assert origin_of(TILES) == "https://tiles.example.org:8443"
    without, beside = (dict(static_files(MapConfig(basemap_url=url), with_places=True)) for url in ("", TILES))
    assert f"{CONNECT};".encode() in without["index.html"]
    assert f"{CONNECT} https://tiles.example.org:8443;".encode() in beside["index.html"]
    assert {name for name in without if without[name] != beside[name]} == {"index.html"}


def test_no_file_of_the_page_names_another_host() -> None:
    own = {
        name: data
        for name, data in static_files(MapConfig(), with_places=True)
        if name.split(".")[-1] in ("html", "css", "js")
    }
    for name, data in own.items():
        if not name.startswith("vendor/"):
            text = data.decode().replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text.replace("pmtiles://", "").replace("pmtiles:\\/\\/", ""), name


def test_nothing_of_the_page_reads_data_as_html() -> None:
    for name, data in static_files(MapConfig(), with_places=True):
        if name.startswith("js/"):
            for way in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"setHTML", b"eval("):
                assert way not in data, f"{name}: {way!r}"


def test_licences_lie_beside_what_they_are_of() -> None:
    notice = dict(static_files(MapConfig(), with_places=True))["NOTICE.txt"].decode()
    assert "MapLibre GL JS" in notice
    assert "BSD-3-Clause" in notice
    assert "GeoNames" in notice
    assert "GeoNames" not in dict(static_files(MapConfig(), with_places=False))["NOTICE.txt"].decode()
