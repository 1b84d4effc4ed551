"""Folders and files from somebody else: an absurd one costs its own line, and none sends the program elsewhere.

The program runs in processes of their own, whose memory is measured or bounded; a web server on loopback writes down
every request.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from absurd_files import PLACE, bomb, linked_jp2, moved, small, vast_and_empty, vast_jp2, zip_bomb
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.reference.labelled_masks import polygons_from_masks
from safe_scenes import ground, write_jp2

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MOST_MEMORY = 600_000_000
"""Bytes by which indexing may grow: a few windows, and one tile or strip at its largest."""

BANDS = ("blue", "green", "red", "nir")
RULES = ArchiveRules(bands=BANDS, date="2021-07-01")

INDEX = """
import resource, sys
import minemap_assets.imagery.sources.archive.product_detection
import rasterio, rasterio.warp
from dagster_project.cli.main import main

begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 4 * int(sys.argv[1]), now + 4 * int(sys.argv[1])))
sys.argv = ["minemap", *sys.argv[2:]]
try:
    main()
finally:
    print("grew by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun) * 1024)
"""


@dataclass(frozen=True)
class Run:
    """What a command came to, and the bytes it grew by."""

    code: int
    out: str
    lines: tuple[str, ...]
    grown: int


def run(folder: Path, *words: str) -> Run:
    """A command in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MINEMAP_", "DAGSTER_"))}
    ended = subprocess.run(
        [sys.executable, "-c", INDEX, str(MOST_MEMORY), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *_, last = ended.stdout.splitlines()
    return Run(ended.returncode, ended.stdout, tuple(ended.stderr.splitlines()), int(last.removeprefix("grew by ")))


ABSURD = {
    "vast.tif": "vast has no observed pixel",
    "vast_strips.tif": "vast_strips has no observed pixel",
    "vast_block.tif": "tiles or strips of 3,200 MB each",
    "bomb.tif": "tiles or strips of 3,200 MB each",
    "zeros.tif": "zeros has no observed pixel",
    "huge.tif": "huge.tif lies nowhere on Earth",
    "nan.tif": "nan.tif lies nowhere on Earth",
    "far.tif": "far.tif lies nowhere on Earth",
    "nothing.tif": "",
    "wee.tif": "far finer than the 5 m of planet-nicfi",
    "wide.tif": "far coarser than the 5 m of planet-nicfi",
    "bands.tif": "has 10,000 bands, more than the 1,000 that are read",
    "cut.tif": "is cut off",
    "empty.tif": "is not a TIFF file",
    "vast.jp2": "has 1,600,000,000 pixels, more than the 134,217,728 of a JPEG 2000 file",
    "bomb.zip": "would have 20,000,000 bytes when it is unpacked",
    "two\\nlines.tif": "has characters that no name of a file may have",
    "b\\udcffd.tif": "has characters that no name of a file may have",
}
"""Every absurd file, as its line names it, and what the line says."""


@pytest.fixture(scope="module")
def absurd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good image among absurd ones."""
    root = tmp_path_factory.mktemp("absurd") / "images"
    root.mkdir()
    small(root / "good.tif")
    vast_and_empty(root / "vast.tif", tiled=True, blockxsize=512, blockysize=512)
    vast_and_empty(root / "vast_strips.tif", blockysize=1)
    vast_and_empty(root / "vast_block.tif", blockysize=1000)
    bomb(root / "bomb.tif")
    zeros = {"driver": "GTiff", "count": 4, "width": 12_000, "height": 12_000, "dtype": "uint16", "crs": "EPSG:32720"}
    with rasterio.open(
        root / "zeros.tif", "w", **zeros, transform=Affine(5, 0, 2e5, 0, -5, 9e6), tiled=True, compress="deflate"
    ) as target:
        for row in range(0, 12_000, 1024):
            window = ((row, min(12_000, row + 1024)), (0, 12_000))
            target.write(np.zeros((4, window[0][1] - row, 12_000), np.uint16), window=window)
    nan = float("nan")
    moved(root / "huge.tif", (1e300, 1e300, 0), (0, 0))
    moved(root / "nan.tif", (nan, nan, nan), (nan, nan))
    moved(root / "far.tif", (10, 10, 0), (1e300, 1e300))
    moved(root / "nothing.tif", (0, 0, 0), (5e5, 9e6))
    moved(root / "wee.tif", (1e-9, 1e-9, 0), (5e5, 9e6))
    moved(root / "wide.tif", (1e5, 1e5, 0), (5e5, 9e6))
    small(root / "bands.tif", count=10_000)
    whole = small(root / "cut.tif").read_bytes()
    (root / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (root / "empty.tif").touch()
    vast_jp2(root / "vast.jp2")
    zip_bomb(root / "bomb.zip")
    shutil.copy(root / "good.tif", root / "two\nlines.tif")
    shutil.copy(root / "good.tif", os.fsencode(root) + b"/b\xffd.tif")
    return root


def test_every_absurd_raster_costs_its_own_line_and_no_memory(absurd: Path, tmp_path: Path) -> None:
    words = ("--product", "planet-nicfi", "--date", "2021-07-01", "--bands", ",".join(BANDS))
    ended = run(tmp_path, "archive", "index", str(absurd), *words)
    assert ended.code == 0, ended
    assert f"1 image, {len(ABSURD)} files left out" in ended.out
    left_out = [line.removeprefix("left out ") for line in ended.lines if line.startswith("left out ")]
    assert len(left_out) == len(ABSURD), left_out
    for name, reason in ABSURD.items():
        (line,) = [line for line in left_out if line.startswith(f"{name}: ")]
        assert reason in line
    assert ended.grown < MOST_MEMORY


def test_a_value_in_a_corner_of_a_vast_image_is_found(tmp_path: Path) -> None:
    path = vast_and_empty(tmp_path / "corner.tif", tiled=True, blockxsize=512, blockysize=512)
    with rasterio.open(path, "r+") as target:
        target.write(np.full((4, 512, 512), 900, np.uint16), window=((358_400, 358_912), (51_200, 51_712)))
    report = index_archive(str(tmp_path), name="t", product="planet-nicfi", rules=RULES)
    assert (report.images, report.refused) == (1, ())


SERVER = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        with open(sys.argv[1], "a") as log:
            log.write(self.path + "\\n")
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_HEAD = do_POST = answer
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Web:
    """A web server that answers nothing and writes everything down."""

    url: str
    log: Path

    @property
    def requests(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    log = tmp_path_factory.mktemp("web") / "requests"
    with subprocess.Popen([sys.executable, "-c", SERVER, str(log)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield Web(f"http://127.0.0.1:{int(server.stdout.readline())}", log)
        server.kill()


def test_the_server_writes_down_what_gdal_fetches(web: Web, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text(virtual(web.url))
    with pytest.raises(rasterio.errors.RasterioError), rasterio.open(tmp_path / "a.tif") as source:
        source.read()
    assert web.requests


def virtual(url: str) -> str:
    """A raster that GDAL fetches from a web server."""
    where = f"<SourceFilename>/vsicurl/{url}/a.tif</SourceFilename>"
    band = f"<SimpleSource>{where}<SourceBand>1</SourceBand></SimpleSource>"
    bands = "".join(f'<VRTRasterBand dataType="UInt16" band="{n}">{band}</VRTRasterBand>' for n in range(1, 5))
    place = "<GeoTransform>499480, 10, 0, 8900520, 0, -10</GeoTransform><SRS>EPSG:32720</SRS>"
    return f'<VRTDataset rasterXSize="104" rasterYSize="104">{place}{bands}</VRTDataset>'


def service(url: str) -> str:
    """A raster that GDAL asks a map service for."""
    return f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}</ServerUrl></Service></GDAL_WMS>'


def rasters(folder: Path, url: str) -> None:
    """Files and files beside them through which GDAL goes to a web server."""
    (folder / "virtual.tif").write_text(virtual(url))
    (folder / "service.tif").write_text(service(url))
    index = f"<IndexDataset>/vsicurl/{url}/i</IndexDataset>"
    (folder / "GTI:list.tif").write_text(f"<GDALTileIndexDataset>{index}</GDALTileIndexDataset>")
    (folder / "overviews.tif.ovr").write_text(virtual(url))
    (folder / "mask.tif.msk").write_text(virtual(url))
    pointer = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{url}/pam.tif</MDI></Metadata>'
    (folder / "statistics.tif.aux.xml").write_text(f"<PAMDataset>{pointer}</PAMDataset>")
    for name in ("overviews", "mask", "statistics", "own"):
        small(folder / f"{name}.tif")
    with rasterio.open(folder / "own.tif", "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{url}/own.tif")


def test_no_raster_of_an_archive_sends_the_program_elsewhere(web: Web, tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    rasters(root, web.url)
    report = index_archive(str(root), name="t", product="planet-nicfi", rules=RULES)
    assert {Path(r.path).stem for r in report.refused} == {"virtual", "service", "GTI:list", "mask", "own"}
    source = ArchiveSource("planet-nicfi", [read_index("t", str(root), report.features)])
    grid = GeoBox((104, 104), PLACE, "EPSG:32720")
    assert source.read(grid, SeasonRule().season(2021), BANDS).clear_fraction == 1.0
    assert web.requests == []


def test_no_jpeg_2000_file_sends_the_program_elsewhere(web: Web, tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    linked_jp2(root / "T20_20210701_B03.jp2", web.url)
    for name in ("B02", "B04", "B08", "B11"):
        write_jp2(root / f"T20_20210701_{name}.jp2", np.full((1, 120, 120), 800, np.uint16), ground(10))
    (root / "T20_20210701_B02.jp2.ovr").write_text(virtual(web.url))
    (root / "T20_20210701_B04.j2w").write_text("10\n0\n0\n-10\n0\n0\n")
    pointer = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{web.url}/pam.tif</MDI></Metadata>'
    place = "<GeoTransform>0, 10, 0, 0, 0, -10</GeoTransform>"
    (root / "T20_20210701_B04.jp2.aux.xml").write_text(f"<PAMDataset>{place}{pointer}</PAMDataset>")
    (root / "T20_20210701_B08.jp2").write_text(virtual(web.url))
    (root / "T20_20210701_B11.jp2.msk").write_text(virtual(web.url))
    report = index_archive(str(root), name="t", product="sentinel-2-l1c", rules=ArchiveRules(offset=0.0))
    assert {Path(r.path).stem[-3:] for r in report.refused} == {"B03", "B08", "B11"}
    source = ArchiveSource("sentinel-2-l1c", [read_index("t", str(root), report.features)])
    composite = source.read(ground(10), SeasonRule().season(2021), ("blue", "red"))
    assert (composite.pixels == 800).all()
    assert web.requests == []


def test_no_mask_sends_the_program_elsewhere(web: Web, tmp_path: Path) -> None:
    rasters(tmp_path, web.url)
    found = polygons_from_masks(tmp_path, "*.tif", value=800)
    assert {Path(m.item).stem for m in found.refused} == {"virtual", "service", "GTI:list", "mask", "own"}
    assert len(found.frame) == 2
    assert web.requests == []


POINT = {"type": "Feature", "properties": {"crs": "x"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
POINTS = {"type": "FeatureCollection", "features": [POINT]}
ELSEWHERE = "has a CRS that is not written out but is to be found elsewhere"
UNKNOWN = "its format is not known"
NOT_KML = "is not KML alone"


def linked(url: str, key: str = '"crs"', kind: str = "link") -> str:
    """GeoJSON whose CRS is to be fetched."""
    crs = json.dumps({"type": kind, "properties": {"href": f"{url}/crs", "url": f"{url}/crs", "type": "proj4"}})
    return json.dumps(POINTS)[:-1] + f", {key}: {crs}}}"


def vectors(url: str) -> dict[str, tuple[str, str]]:
    """Vector files through which GDAL goes to a web server, by their names, each with why it is refused."""
    layer = f'<OGRVRTLayer name="a"><SrcDataSource>/vsicurl/{url}/v.geojson</SrcDataSource></OGRVRTLayer>'
    pointer = f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>"
    algorithm = {"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline ! read /vsicurl/{url}/a.json"}
    return {
        "virtual.geojson": (pointer, UNKNOWN),
        "virtual.gpkg": (pointer, "is not what its name says"),
        "virtual.shp": (pointer, "is not what its name says"),
        "virtual.fgb": (pointer, "is not what its name says"),
        "virtual.kml": (pointer, NOT_KML),
        "virtual.vrt": (pointer, UNKNOWN),
        "two.kml": (f"<kml></kml>{pointer}", NOT_KML),
        "hidden.kml": (f"<!-- {pointer} --><kml></kml>", NOT_KML),
        "entity.kml": (f'<!DOCTYPE kml [<!ENTITY x SYSTEM "{url}/e">]><kml>&x;</kml>', NOT_KML),
        "service.geojson": (f"<OGRWFSDataSource><URL>{url}/wfs</URL></OGRWFSDataSource>", UNKNOWN),
        "steps.gdalg.json": (json.dumps(algorithm), "cannot be read as a vector file"),
        "PG:host=127.0.0.1.txt": ("x", UNKNOWN),
        "link.geojson": (linked(url), ELSEWHERE),
        "LINK.geojson": (linked(url, '"CRS"', "LINK"), ELSEWHERE),
        "url.geojson": (linked(url, kind="url"), ELSEWHERE),
        "escaped.geojson": (linked(url, '"\\u0063rs"'), ELSEWHERE),
        "apostrophes.geojson": (linked(url, "'crs'"), ELSEWHERE),
        "comment.geojson": (linked(url, '"crs" /**/'), ELSEWHERE),
    }


def test_no_vector_file_sends_the_program_elsewhere(web: Web, tmp_path: Path) -> None:
    for name, (text, reason) in vectors(web.url).items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(BadInputError) as refused:
            read_vector(path)
        assert reason in str(refused.value), name
        if path.suffix in (".geojson", ".kml"):
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                archive.write(path, path.name)
            with pytest.raises(BadInputError):
                read_vector(tmp_path / f"{name}.zip")
    assert web.requests == []


def test_a_link_in_what_is_data_is_not_followed(web: Web, tmp_path: Path) -> None:
    link = f"<NetworkLink><Link><href>{web.url}/n.kml</href></Link></NetworkLink>"
    style = f"<styleUrl>{web.url}/s.kml#a</styleUrl><Point><coordinates>1,2</coordinates></Point>"
    text = (
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{link}<Placemark>{style}</Placemark></Document></kml>'
    )
    (tmp_path / "a.kml").write_text(text)
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.write(tmp_path / "a.kml", "doc.kml")
    named = json.dumps(POINTS | {"crs": {"type": "name", "properties": {"name": f"{web.url}/crs"}}})
    (tmp_path / "named.geojson").write_text(named)
    for name in ("a.kml", "a.kmz", "named.geojson"):
        assert len(read_vector(tmp_path / name, crs="EPSG:4326")) == 1
    assert web.requests == []


@pytest.mark.parametrize(
    "name", ["a.geojson", "a.json", "a.geojsonl", "a.gpkg", "a.shp", "a.fgb", "a.parquet", "a.kml"]
)
def test_the_formats_that_are_promised_are_read(tmp_path: Path, name: str) -> None:
    frame = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[shapely.Point(1, 2), shapely.Point(3, 4)], crs="EPSG:4326")
    path = tmp_path / name
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path, driver={".json": "GeoJSON", ".kml": "LIBKML"}.get(path.suffix))
    assert sorted((p.x, p.y) for p in read_vector(path).geometry) == [(1, 2), (3, 4)]
    if path.suffix in (".geojson", ".gpkg", ".fgb", ".kml"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(path, path.name)
        assert len(read_vector(tmp_path / "a.zip")) == 2


INPUTS = Path("minemap-data/lake/inputs")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("regions.geojson", "[" * 100_000, ("regions", "list")),
        ("regions.geojson", '{"features": [' + "9" * 10_000 + "]}", ("status",)),
        ("minemap.toml", "a = " + "[" * 100_000, ("status",)),
        ("minemap.toml", "first_year = 0x" + "f" * 10_000, ("status",)),
        ("minemap.toml", "[segmentation]\nheads = [0, 1, 1, 1]", ("plan",)),
        ("archive/roots.json", "[" * 100_000, ("archive", "list")),
        ("archive/roots.json", '{"--help": "/data"}', ("archive", "list")),
    ],
)
def test_a_damaged_input_is_one_sentence_that_names_it(
    tmp_path: Path, name: str, text: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / INPUTS / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    ended = run(tmp_path, *words)
    assert ended.code == 2, ended
    (line,) = [line for line in ended.lines if line.startswith("Error: ")]
    assert Path(name).name in line
    assert len(line) < 1000
