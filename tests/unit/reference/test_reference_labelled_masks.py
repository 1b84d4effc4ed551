"""Raster masks to polygons: exact edges, groups, and what is refused."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from minemap_assets.errors import BadInputError
from minemap_assets.reference.labelled_masks import polygons_from_masks
from minemap_assets.reference.polygon_sets import polygon_table


def _write(path, pixels, *, crs="EPSG:32720", origin=(500_000.0, 9_000_000.0)):
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=pixels.shape[0],
        width=pixels.shape[1],
        count=1,
        dtype=pixels.dtype.name,
        crs=crs,
        transform=Affine(10, 0, origin[0], 0, -10, origin[1]),
    ) as target:
        target.write(pixels, 1)
    return path


PIXELS = np.array(
    [
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 0, 1],
        [2, 2, 0, 1],
    ],
    dtype=np.uint8,
)


def test_edges_are_pixel_edges_and_corners_do_not_join(tmp_path):
    _write(tmp_path / "mask_1.tif", PIXELS)
    found = polygons_from_masks(tmp_path)
    metres = found.frame.to_crs(32720)
    assert sorted(round(a) for a in metres.area) == [100, 200, 300]
    assert found.frame["polygon_id"].tolist() == ["mask_1-1", "mask_1-2", "mask_1-3"]
    corner = shapely.box(500_000, 8_999_980, 500_010, 9_000_000).union(
        shapely.box(500_010, 8_999_990, 500_020, 9_000_000)
    )
    assert min(g.symmetric_difference(corner).area for g in metres.geometry) < 0.01
    assert polygons_from_masks(tmp_path, value=2).frame.to_crs(32720).area.sum() == pytest.approx(200, rel=1e-6)


def test_groups_come_from_the_number_in_the_name(tmp_path):
    for number in (3, 10):
        _write(tmp_path / "masks" / f"site_2021_mask_{number}.tif", PIXELS)
    table = tmp_path / "groups.csv"
    table.write_text("i,g\n10,b\n3,a\n")
    found = polygons_from_masks(tmp_path / "masks", "*.tif", groups=table)
    assert found.frame.groupby("group").size().to_dict() == {"a": 3, "b": 3}
    table.write_text("i,g\n3,a\n")
    refused = polygons_from_masks(tmp_path / "masks", "*.tif", groups=table).refused
    assert [(r.item, "no row in the table of groups" in r.reason) for r in refused] == [("site_2021_mask_10.tif", True)]
    with pytest.raises(BadInputError, match="no column h; it has i, g"):
        polygons_from_masks(tmp_path / "masks", "*.tif", groups=table, group_column="h")


def test_what_cannot_be_used_is_refused_in_words(tmp_path):
    masks, images = tmp_path / "masks", tmp_path / "images"
    for number in (1, 2, 3, 4):
        _write(masks / f"mask_{number}.tif", PIXELS, crs=None if number == 3 else "EPSG:32720")
    (masks / "mask_4.tif").write_bytes(b"II*\0 nothing")
    _write(masks / "mask_5.tif", np.zeros_like(PIXELS))
    for number in (1, 2, 3, 4, 5):
        _write(images / f"img_{number}.tif", PIXELS[:, : 1 if number == 2 else 4])
    _write(masks / "mask_6.tif", PIXELS)
    found = polygons_from_masks(masks, images=images)
    reasons = {r.item: r.reason for r in found.refused}
    assert sorted(reasons) == ["mask_2.tif", "mask_3.tif", "mask_4.tif", "mask_6.tif"]
    assert "img_2.tif has 4 x 1 pixels" in reasons["mask_2.tif"]
    assert "give it a CRS" in reasons["mask_3.tif"]
    assert "cannot be read as a raster" in reasons["mask_4.tif"]
    assert "no image of the same number" in reasons["mask_6.tif"]
    assert found.empty == 1
    assert set(found.frame["polygon_id"].str.split("-").str[0]) == {"mask_1"}


def test_no_masks(tmp_path):
    with pytest.raises(BadInputError, match="no file that matches"):
        polygons_from_masks(tmp_path)
    _write(tmp_path / "mask_1.tif", np.zeros_like(PIXELS))
    assert list(polygons_from_masks(tmp_path).frame.columns) == ["polygon_id", "group", "geometry"]


def test_real_masks_of_tailings(tmp_path):
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    data = Path(folder) / "tailings-seg-s2-brazil"
    found = polygons_from_masks(data / "mask_tiff", groups=data / "groups.csv", images=data / "img_tiff")
    assert [r.item for r in found.refused] == ["mask_23.tif"]
    assert found.refused[0].reason.startswith(
        "img_23.tif has 448 x 48 pixels (rows x columns), its mask mask_23.tif 448"
    )
    assert found.frame.is_valid.all()
    for number in (0, 54):
        with rasterio.open(data / "mask_tiff" / f"mask_{number}.tif") as source:
            count = int((source.read(1) == 1).sum())
            pixel = abs(source.transform.determinant)
        mine = found.frame[found.frame["polygon_id"].str.startswith(f"mask_{number}-")]
        assert shapely.area(mine.geometry.array).sum() / pixel == pytest.approx(count, rel=1e-5)
    path = tmp_path / "masks.gpkg"
    found.frame.to_file(path)
    table = polygon_table(gpd.read_file(path), id_column="polygon_id", group_column="group")
    assert sorted(table["polygon_id"]) == sorted(found.frame["polygon_id"])
    assert set(table["group"]) == set(found.frame["group"])
