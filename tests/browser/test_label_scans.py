"""The labelling pages over a scan: its sample labelled with keys alone, and mines outlined where no site is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import shapely
from playwright.sync_api import Page, expect

from commands import command
from dagster_project.pages.label_routes import label_page, outline_page
from hosted_pages import hosted, violations
from keras_weights import random_network, write_ensemble
from located import located
from minemap_assets.detection import assets as detection
from minemap_assets.detection import classifier_assets
from minemap_assets.detection.networks.shapes import Group, PatchShape
from minemap_assets.detection.published import import_weights
from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.publication.labelling.desk import Desk, pixels_of
from minemap_assets.publication.labelling.outline_places import Place, ScanPlaces
from minemap_assets.publication.labelling.outlined_sites import read_outlines
from minemap_assets.publication.labelling.sitting import sit
from minemap_assets.publication.labelling.tasks import keep_task, open_task, task_of_detections
from minemap_assets.reference.registered import catalogue
from minemap_assets.simulation.built_in_worlds import BIRCH, with_unknown_mines
from tiny import WORLD, Chain

pytestmark = pytest.mark.browser

PATIENCE = 20_000
YEAR = 2019
SHAPE = PatchShape(pixels=48, bands=3, groups=(Group(filters=4, convolutions=1, pool=4),), dense=(8,))
HIDING = with_unknown_mines(WORLD)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project with a mine in no file, one of whose regions was scanned; its classifier knows nothing."""
    chain = located(tmp_path_factory.mktemp("scanned"), HIDING)
    weights = tmp_path_factory.mktemp("weights") / "weights.h5"
    write_ensemble([random_network(SHAPE, seed) for seed in (1, 2)], weights)
    import_weights(chain.project.lake.store, weights, "weights.h5", licence="for tests")
    chain.change("[detection]", "[detection]\nsample_size = 5\nthreshold = 0.5775\nisolated = 0.5775")
    states = PartitionStates(Graph(chain.registry.rooms, chain.project), chain.project)
    made = [
        (classifier_assets.PATCH_CLASSIFIER, ()),
        *(
            (asset, (BIRCH, str(YEAR)))
            for asset in (detection.SCAN_IMAGERY, detection.PATCH_SCORES, detection.DETECTIONS)
        ),
        (detection.DETECTION_SAMPLE, (str(YEAR),)),
    ]
    for asset, keys in made:
        assert not states.make(asset, keys).failures
    return chain


def mines() -> shapely.Geometry:
    """The ground that is mine in that year (EPSG:4326)."""
    return shapely.union_all(WORLD.truth(YEAR).to_crs(WGS84).geometry.to_numpy())


def test_the_sample_of_a_scan_is_labelled_with_keys_and_gives_its_accuracy(
    scanned: Chain, tmp_path: Path, opened: Callable[[str], Page]
) -> None:
    chain = scanned.copied(tmp_path / "copy")
    name, kept = task_of_detections(chain.project, YEAR)
    keep_task(chain.project.lake.store, name, kept)
    task = open_task(chain.project, name)
    patches = [json.loads(str(one.facts["feature"])) for one in kept.points]
    truth = [shapely.from_geojson(json.dumps(one["geometry"])).intersects(mines()) for one in patches]
    truth[0] = not truth[0]  # whoever labels may differ from the truth
    with hosted(label_page(sit(chain.project, task, "anna"))) as server:
        page = opened(server.address)
        for place, (point, mine) in enumerate(zip(task.points, truth, strict=True)):
            expect(page.locator(f"#pictures[data-point='{point.point_id}']")).to_have_count(1, timeout=PATIENCE)
            if place == 0:
                assert violations(page) == []
                expect(page.locator("#question")).to_have_text("Is there a mine in this square in 2019?")
                expect(page.locator("#focus img")).to_have_count(2)
            if place == 4:
                page.reload()
                expect(page.locator("#count")).to_have_text(f"4 of {len(truth)} points answered")
                expect(page.locator(f"#pictures[data-point='{point.point_id}']")).to_have_count(1, timeout=PATIENCE)
            page.keyboard.press("m" if mine else "n")
        expect(page.locator("#trouble")).to_contain_text(f"minemap label hand-over {name}")
        expect(page.locator("#saved")).to_have_text("Saved", timeout=PATIENCE)
    file = tmp_path / "labelled.geojson"
    handed = command(chain, "label", "hand-over", name, "--to", str(file))
    assert handed.code == 0, handed.text
    said = command(chain, "scan", "accuracy", str(file))
    assert said.code == 0, said.text
    found = [mine for mine, one in zip(truth, patches, strict=True) if one["properties"]["stratum"] == "detected"]
    assert 0 < len(found) < len(truth)
    assert f"Precision: {100 * sum(found) / len(found):.1f}%" in said.text


def test_a_mine_outlined_on_a_scan_becomes_a_site(
    scanned: Chain, tmp_path: Path, opened: Callable[[str], Page]
) -> None:
    chain = scanned.copied(tmp_path / "copy")
    project = chain.project
    hidden = WORLD.truth(YEAR).to_crs(WGS84).set_index("mine_id").loc[sorted(HIDING.hidden)].geometry.iloc[0]
    assert origins(chain, hidden) == []
    places = ScanPlaces(project, tuple(project.active_regions()))
    scores = [one.score for one in places.listed]
    assert scores == sorted(scores, reverse=True)
    desk = Desk(project, places, "anna", "CC0-1.0")
    with hosted(outline_page(desk)) as server:
        page = opened(server.address)
        expect(page.locator("#canvas image")).to_have_count(1, timeout=PATIENCE)
        expect(page.locator("#site option")).to_have_count(len(scores))
        assert violations(page) == []
        page.get_by_label("Longitude, latitude").fill("nowhere")
        page.keyboard.press("Enter")
        expect(page.locator("#trouble")).to_contain_text("give a longitude and a latitude")
        page.get_by_label("Longitude, latitude").fill("0, 0")
        page.get_by_role("button", name="Go").click()
        expect(page.locator("#trouble")).to_contain_text("no scan shows the ground at 0.00000,0.00000")
        middle = shapely.centroid(hidden)
        page.get_by_label("Longitude, latitude").fill(f"{middle.x:.5f}, {middle.y:.5f}")
        page.keyboard.press("Enter")
        expect(page.locator("#shown")).to_have_text(
            f"{middle.x:.5f},{middle.y:.5f}, {YEAR}: the year to outline", timeout=PATIENCE
        )
        expect(page.locator("#trouble")).to_be_hidden()
        draw(page, desk, places.at(middle.x, middle.y), hidden.simplify(1e-4))
        page.keyboard.press("Enter")
        page.keyboard.press("s")
        expect(page.locator("#saved")).to_have_text("Saved as ground truth", timeout=PATIENCE)
        expect(page.locator("#outlines")).to_contain_text("anna")
    (outline,) = read_outlines(project.lake.store)
    assert (outline.region, outline.year) == (BIRCH, YEAR)
    shared, whole = (f(outline.polygon, hidden).area for f in (shapely.intersection, shapely.union))
    assert shared / whole > 0.8
    entry = next(one for one in catalogue(chain.project).entries if one.name == f"outlined_{YEAR}")
    assert (entry.role, entry.reference_year) == ("labels", YEAR)
    said = command(chain, "run", "--select", "+sites")
    assert said.code == 0, said.text
    assert origins(chain, hidden) == ["reference"]


def origins(chain: Chain, mine: shapely.Polygon) -> list[str]:
    """Where the sites of the scanned region come from whose windows have their middle in a mine."""
    frame = read_geoparquet(chain.open("sites", "sites", BIRCH).file("sites.parquet"))
    inside = shapely.intersects_xy(mine.envelope, frame["longitude"], frame["latitude"])
    return list(frame.loc[inside, "origin"])


def draw(page: Page, desk: Desk, place: Place, outline: shapely.Polygon) -> None:
    """Set its corners by mouse, after a look from nearer by."""
    page.locator("#canvas").focus()
    for _ in range(3):
        page.keyboard.press("+")
    image = desk.images_of(place)[YEAR]
    view = [float(one) for one in str(page.locator("#canvas svg").get_attribute("viewBox")).split()]
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    pixels = pixels_of(image, shapely.get_coordinates(outline.exterior)[:-1])
    for x, y in (pixels - view[:2]) * box["width"] / view[2] + [box["x"], box["y"]]:
        page.mouse.click(x, y)
    expect(page.locator("#state")).to_have_text(f"{len(pixels)} corners set.")


def test_scans_of_other_years_are_not_outlined_on(scanned: Chain, tmp_path: Path) -> None:
    chain = scanned.copied(tmp_path / "copy")
    chain.change("reference_year = 2019", "reference_year = 2018")
    refused = command(chain, "label", "outline", "--scan", "--no-browser")
    assert refused.code == 2
    assert "the scans are of 2019, and the model learns from outlines of 2018 alone" in refused.text
