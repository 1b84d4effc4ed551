"""What the metadata and the cloud outlines of Sentinel-2 products say, as their makers wrote them."""

import io
from pathlib import Path

import numpy as np
import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.cloud_polygons import hidden_by_polygons, read_polygons
from minemap_assets.imagery.files.plain_xml import read_xml
from minemap_assets.imagery.files.safe_metadata import METADATA_NAME, SafeMetadata, read_metadata
from minemap_assets.imagery.files.safe_products import product_in_folder
from minemap_assets.imagery.products import SENTINEL2_BANDS
from safe_scenes import EARLIER_1C, EARLIER_2A, LEVEL_1C, LEVEL_2A, OLD_1C, RECORDED, Form, ground

FORMS = {"2A": LEVEL_2A, "1C": LEVEL_1C, "2A of 2018": EARLIER_2A, "1C of 2017": EARLIER_1C, "1C of 2016": OLD_1C}


def recorded(name: str, old: str = "", new: str = "") -> SafeMetadata:
    text = (RECORDED / name).read_text()
    assert old in text
    return read_metadata(io.BytesIO(text.replace(old, new).encode() if old else text.encode()), name)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_recorded_metadata_says_what_its_product_is(form: Form) -> None:
    found = recorded(form.recorded)
    assert METADATA_NAME.fullmatch(form.metadata)
    assert (found.product, found.baseline, found.day.isoformat()) == (form.product, form.baseline, form.day)
    assert found.quantification == 10_000
    shift = -1000.0 if form.baseline >= "04.00" else 0.0
    assert found.offsets == dict.fromkeys(SENTINEL2_BANDS, shift)
    assert len(found.files) == (2 if form is OLD_1C else 1)
    assert (found.footprint is None) == (form in (LEVEL_1C, LEVEL_2A))


def test_bands_without_a_list_go_by_their_usual_numbers() -> None:
    changed = recorded("l2a_0509.xml", "Spectral_Information", "Something")
    assert changed.offsets == recorded("l2a_0509.xml").offsets


def test_outlines_are_latitudes_before_longitudes() -> None:
    outline = recorded("l2a_0208.xml").footprint
    assert outline is not None
    assert outline.bounds == (22.6, 56.7, 24.5, 57.7)


@pytest.mark.parametrize("text", ["57.7 22.6 57.6", "57.7 22.6 x y", "", "1 1 2 2 1 1"])
def test_an_outline_that_is_none_is_left_out(text: str) -> None:
    whole = (RECORDED / "l2a_0208.xml").read_text().split("<EXT_POS_LIST>")[1].split("<")[0]
    assert recorded("l2a_0208.xml", whole, text).footprint is None


def test_sen2cor_s_own_baseline_needs_no_offset() -> None:
    old = recorded("l2a_0208.xml", ">02.08<", ">99.99<")
    assert set(old.offsets.values()) == {0.0}


def test_products_in_the_old_naming_have_a_folder_for_each_tile(tmp_path: Path) -> None:
    metadata = recorded("l1c_old.xml")
    folder = tmp_path / OLD_1C.folder
    (folder / "GRANULE").mkdir(parents=True)
    (folder / OLD_1C.metadata).write_bytes((RECORDED / OLD_1C.recorded).read_bytes())
    granules = product_in_folder(str(tmp_path), OLD_1C.folder).granules(metadata)
    assert [len(granule.missing) for granule in granules] == [13, 13]
    assert granules[0].missing[1] == f"{OLD_1C.folder}/{OLD_1C.band('B02', 10)}"


def test_no_cloud_at_all_hides_nothing() -> None:
    assert not hidden_by_polygons(str(RECORDED / "no_clouds.gml"), ground(10)).any()
    assert read_polygons(str(RECORDED / "clouds_0204.gml")).epsg == 32632


GML = (
    '<eop:Mask xmlns:eop="e" xmlns:gml="g"><gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7:32649"/>'
    "<gml:Polygon><gml:exterior>{0}</gml:exterior><gml:interior>{1}</gml:interior></gml:Polygon></eop:Mask>"
)


def ring(left: float, bottom: float, right: float, top: float, dimensions: int = 2) -> str:
    corners = shapely.box(left, bottom, right, top).exterior.coords
    words = [" ".join(map(str, (*corner, *([12.5] * (dimensions - 2))))) for corner in corners]
    return f'<gml:LinearRing><gml:posList srsDimension="{dimensions}">{" ".join(words)}</gml:posList></gml:LinearRing>'


def test_holes_in_clouds_show_the_ground_and_heights_are_no_places(tmp_path: Path) -> None:
    left, top = ground(10).boundingbox.left, ground(10).boundingbox.top
    outer = ring(left + 100, top - 500, left + 500, top - 100, dimensions=3)
    inner = ring(left + 200, top - 400, left + 300, top - 200, dimensions=3)
    path = tmp_path / "a.gml"
    path.write_text(GML.format(outer, inner))
    expected = np.zeros((120, 120), dtype=bool)
    expected[10:50, 10:50] = True
    expected[20:40, 20:30] = False
    np.testing.assert_array_equal(hidden_by_polygons(str(path), ground(10)), expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GML.format("", ""), "has a cloud without an outline"),
        (GML.format('<gml:posList srsDimension="2">1 2 3</gml:posList>', ""), "an outline of a cloud that is none"),
        (GML.format('<gml:posList srsDimension="2">1 2 3 4 5 6 7 x</gml:posList>', ""), "that is none"),
        (GML.format('<gml:posList srsDimension="9">1 2</gml:posList>', ""), "an outline of a cloud that is none"),
        (GML.format(ring(0, 0, 1, 1), "").replace("EPSG", "OTHER"), "does not say in which CRS"),
        ("<kml/>", "is no cloud mask of a Sentinel-2 product"),
        ("<a><b></a>", "is cut off or is no XML"),
        ('<?xml version="1.0" encoding="UTK-8"?><a/>', "is cut off or is no XML"),
    ],
)
def test_outlines_that_are_none_are_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.gml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=sentence) as refused:
        read_polygons(str(path))
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    ],
)
def test_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"a\.xml declares a document type"):
        read_xml(io.BytesIO(text.encode()), "a.xml")


def test_a_document_without_end_is_refused() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b"<a>" if self.tell() == 0 and not self.seek(1) else b" " * (size or 1)

    with pytest.raises(BadInputError, match="is longer than any metadata"):
        read_xml(Endless(), "a.xml")
