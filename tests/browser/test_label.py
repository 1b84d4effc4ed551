"""The labelling pages in a real browser: points answered with keys alone, and a site outlined that trains a model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, Error, Page, Route, expect

from dagster_project.commands.labelling import pairs_of
from dagster_project.pages.label_routes import label_page, outline_page
from dagster_project.runner import Report
from hosted_pages import hosted, violations
from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.lake.inputs import Inputs
from minemap_assets.publication.labelling.answer_files import all_answers
from minemap_assets.publication.labelling.desk import Desk, pixels_of
from minemap_assets.publication.labelling.handing_over import Handed, labelled_points, standing_of
from minemap_assets.publication.labelling.outline_places import SitePlaces
from minemap_assets.publication.labelling.outlined_sites import read_outlines
from minemap_assets.publication.labelling.sitting import adjudicate, sit
from minemap_assets.publication.labelling.tasks import Task, keep_task, kept_task, open_task, task_of_points
from minemap_assets.reference.catalogue import read_catalogue
from minemap_assets.reference.registered import PROMOTED_SITES_PATH, catalogue
from minemap_assets.reference.registration import register, withdraw
from minemap_assets.sites.promotion import promote
from tiny import WORLD, YEARS, Chain

pytestmark = pytest.mark.browser

PATIENCE = 20_000
YEAR = 2019
POINTS = 20


def task_of(chain: Chain, folder: Path) -> tuple[Task, np.ndarray]:
    """A task of 20 points on ground that sites own, every second one in a mapped mine; what the map says of each."""
    regions = chain.project.active_regions()

    def united(room: str, asset: str, file: str, *keys: str) -> shapely.Geometry:
        frames = [chain.frame(room, asset, slug, *keys, file=f"{file}.parquet") for slug in regions]
        return shapely.union_all(pd.concat(frames).geometry.to_numpy())

    mines = united("polygons", "mining_polygons", "mining_polygons", str(YEAR))
    unseen = united("polygons", "mining_polygons", "unobserved_ground", str(YEAR))
    seen = united("sites", "owned_ground", "owned_ground").difference(unseen)
    inside = shapely.union_all([region.geometry for region in regions.values()])
    frame = gpd.GeoSeries([mines.intersection(seen), seen.intersection(inside).difference(mines.buffer(1e-4))])
    drawn = [shapely.get_parts(points) for points in frame.sample_points(POINTS // 2, rng=7)]
    places = [point for pair in zip(*drawn, strict=True) for point in pair]
    gpd.GeoDataFrame(geometry=places, crs=WGS84).to_file(folder / "points.geojson")
    name, task = task_of_points(folder / "points.geojson", [YEAR])
    keep_task(chain.project.lake.store, name, task)
    return open_task(chain.project, name), np.arange(POINTS) % 2 == 0


def ready(page: Page, point: str) -> None:
    """The pictures of a point are there."""
    expect(page.locator(f"#pictures[data-point='{point}']")).to_have_count(1, timeout=PATIENCE)


def answer(page: Page, task: Task, keys: str) -> None:
    """Press a key for each point from the first one on; the page goes on by itself."""
    for place, key in enumerate(keys):
        ready(page, task.points[place].point_id)
        page.keyboard.press(key)


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("Saved", timeout=PATIENCE)


def test_an_expert_labels_twenty_points_with_keys_and_a_second_one_differs_on_three(
    finished: Chain, tmp_path: Path, opened: Callable[[str], Page]
) -> None:
    chain = finished.copied(tmp_path / "copy")
    project = chain.project
    task, mapped = task_of(chain, tmp_path)
    # the first agrees with the map but for two points in mines and one elsewhere, and cannot tell of one
    keys = ["1" if mine else "n" for mine in mapped]
    keys[0], keys[2], keys[5], keys[19] = "0", "0", "m", "u"
    with hosted(label_page(sit(project, task, "anna"))) as server:
        page = opened(server.address)
        ready(page, "p0001")
        assert violations(page) == []
        answer(page, task, "".join(keys[:8]))
        ready(page, "p0009")
        page.reload()
        ready(page, "p0009")
        expect(page.locator("#count")).to_have_text("8 of 20 points answered")
        page.keyboard.press("1")  # by mistake
        ready(page, "p0010")
        page.keyboard.press("Backspace")
        ready(page, "p0009")
        expect(page.locator("#count")).to_have_text("8 of 20 points answered")
        page.keyboard.press("6")
        page.keyboard.press("t")
        page.keyboard.type("1 pit, perhaps a pond")
        page.keyboard.press("Escape")
        for place in range(8, 12):
            ready(page, task.points[place].point_id)
            page.keyboard.press(keys[place])
        ready(page, "p0013")
        saved(page)
        server.stop()
        page.keyboard.press(keys[12])
        kept = "Not saved, retrying: the server does not answer; 1 answer is kept here"
        expect(page.locator("#saved")).to_have_text(kept)
        server.start()
        saved(page)
        for place in range(13, POINTS):
            ready(page, task.points[place].point_id)
            page.keyboard.press(keys[place])
        expect(page.locator("#trouble")).to_contain_text("All 20 points are answered")
        saved(page)
    others = list(keys)
    others[4], others[6], others[9] = "0", "u", "1"
    with hosted(label_page(sit(project, task, "ben"))) as server:
        page = opened(server.address)
        answer(page, task, "".join(others))
        expect(page.locator("#trouble")).to_contain_text("All 20 points are answered")
        saved(page)
    check_agreement(chain, task)
    check_adjudication(chain, task, opened)
    check_accuracy(chain, task, keys, mapped)


def check_agreement(chain: Chain, task: Task) -> None:
    """Kappa by hand: of 20 points 17 alike."""
    anna, ben = all_answers(chain.project.lake.store, task.name)
    assert (len(anna.given), len(ben.given)) == (20, 20)
    remark = anna.remark("p0009")
    assert (remark.confidence, remark.note) == ("low", "1 pit, perhaps a pond")
    (pair,) = pairs_of(task, [anna, ben])
    # anna: 8 + 1 = 9 mine, 10 not, 1 unsure; ben: two mines of hers are not mine or unsure, one more is a mine
    chance = (9 * 8 + 10 * 10 + 1 * 2) / 400
    assert pair.all_answers.points == 20
    assert pair.all_answers.value == pytest.approx((17 / 20 - chance) / (1 - chance))
    shares = {one.name: one.share for one in pair.classes}
    assert shares == pytest.approx({"mine": 14 / 17, "not mine": 18 / 20, "cannot tell": 2 / 3})


def check_adjudication(chain: Chain, task: Task, opened: Callable[[str], Page]) -> None:
    """A third person sees both answers of the three points, and decides as the first one said."""
    with hosted(label_page(adjudicate(chain.project, task, "cleo"))) as server:
        page = opened(server.address)
        for point, key, said in (("p0005", "1", "not a mine"), ("p0007", "1", "cannot tell"), ("p0010", "0", "mine")):
            ready(page, point)
            expect(page.locator("#dispute")).to_contain_text(f"ben says {said}")
            page.keyboard.press(key)
        expect(page.locator("#trouble")).to_contain_text("All 3 points are answered")
        saved(page)


def run(chain: Chain, select: str, years: tuple[int, ...]) -> Report:
    """A run on a thread of its own, because the browser's driver keeps a loop on this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(chain.run, select, years).result()


def check_accuracy(chain: Chain, task: Task, keys: list[str], mapped: np.ndarray) -> None:
    """`reference_validation` counts as a hand does: 19 points, of which the map is wrong on three."""
    store = chain.project.lake.store
    frame = labelled_points(kept_task(chain.project, task.name), standing_of(store, task.name, Handed()), "agreed")
    path = chain.folder / "agreed.geojson"
    frame.to_file(path)
    register(store, path, name="validation_points", kind="points", licence="unknown")
    report = run(chain, "reference/validation_points,validation/reference_validation", YEARS)
    assert not report.failures
    table = pd.read_parquet(chain.open("validation", "reference_validation").file("reference_validation.parquet"))
    row = table.set_index(["map", "frame", "year"]).loc[("mapped", "inside windows", YEAR)]
    told = np.array([key not in "u2" for key in keys])
    mine = np.array([key in "1m" for key in keys])
    hits = int((mapped & mine & told).sum())
    assert (row["points"], row["missing"]) == (19, 0)
    assert row["accuracy"] == pytest.approx(((mapped == mine) & told).sum() / 19) == pytest.approx(16 / 19)
    assert row["users_accuracy"] == pytest.approx(hits / 10) == pytest.approx(0.8)
    assert row["producers_accuracy"] == pytest.approx(hits / 9)


def test_answers_outlive_the_server_and_the_page_and_two_pages_lose_none(
    finished: Chain, tmp_path: Path, browser: Browser, opened: Callable[[str], Page]
) -> None:
    project = finished.copied(tmp_path / "copy").project
    far = gpd.GeoSeries(gpd.points_from_xy([50.0, 50.1, 50.2, 50.3], [40.0] * 4), crs=WGS84)
    far.to_file(tmp_path / "far.geojson")
    name, kept = task_of_points(tmp_path / "far.geojson", [YEAR])
    keep_task(project.lake.store, name, kept)
    sitting = sit(project, open_task(project, name), "anna")
    with hosted(label_page(sitting)) as server:
        page = opened(server.address)
        ready(page, "p0001")
        expect(page.locator("#focus")).to_contain_text("no image of this point")
        server.stop()
        page.keyboard.press("2")
        expect(page.locator("#saved")).to_contain_text("Not saved, retrying")
        page.close()
        assert sitting.answers().given == ()
        server.start()
        first, second = opened(server.address), opened(server.address)
        first.set_viewport_size({"width": 390, "height": 844})
        ready(first, "p0002")
        saved(first)
        assert [one.answer for one in sitting.answers().given] == ["cannot tell"]
        assert first.evaluate("document.documentElement.scrollWidth") <= 390
        assert violations(first) == []
        ready(second, "p0002")
        second.keyboard.press("0")
        ready(second, "p0003")
        first.keyboard.press("ArrowRight")
        ready(first, "p0003")
        first.get_by_role("button", name="Cannot tell").click()
        saved(first)
        saved(second)
        assert [one.point_id for one in sitting.answers().given] == ["p0001", "p0002", "p0003"]
        reader = browser.new_page()
        reader.goto(server.address.split("?")[0])
        expect(reader.locator("#trouble")).to_contain_text("This page can only be read")
        expect(reader.get_by_role("button", name="Mine 1")).to_be_disabled()
        reader.close()


def test_outlines_outlive_the_server_and_the_page_and_are_stored_once(
    finished: Chain, tmp_path: Path, opened: Callable[[str], Page]
) -> None:
    project = finished.copied(tmp_path / "copy").project
    store = project.lake.store
    desk = Desk(project, SitePlaces(project, tuple(project.active_regions())), "anna", "CC0-1.0")
    with hosted(outline_page(desk)) as server:
        page = opened(server.address)
        expect(page.locator("#canvas image")).to_have_count(1, timeout=PATIENCE)
        server.stop()
        triangle(page, 200)
        kept = "Not saved, retrying: the server does not answer; 1 change is kept here"
        expect(page.locator("#saved")).to_have_text(kept)
        expect(page.locator("#outlines li")).to_have_count(1)
        expect(page.locator("#outlines")).to_contain_text("anna, not saved yet")
        expect(page.locator("#canvas .waiting")).to_have_count(1)
        with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
            page.reload()
        page.wait_for_url("chrome-error://**")
        assert read_outlines(store) == ()
        server.start()
        page.goto(server.address)
        expect(page.locator("#saved")).to_have_text("Saved as ground truth", timeout=PATIENCE)
        expect(page.locator("#canvas .stored")).to_have_count(1)
        (first,) = read_outlines(store)
        # the server stores it, and its answer is lost on the way
        lost = []

        def lose(route: Route) -> None:
            lost.append(route.fetch())
            route.abort("connectionrefused")

        page.route("**/api/outlines", lose, times=1)
        triangle(page, 300)
        expect(page.locator("#saved")).to_have_text("Saved as ground truth", timeout=PATIENCE)
        assert [one.ok for one in lost] == [True]
        expect(page.locator("#canvas .stored")).to_have_count(2)
        assert len(read_outlines(store)) == 2
        server.stop()
        page.locator("#outlines button").first.click()
        expect(page.locator("#saved")).to_have_text(kept)
        expect(page.locator("#canvas .stored")).to_have_count(1)
        # drawn and taken back while nobody listens
        triangle(page, 400)
        page.locator("#outlines button").last.click()
        expect(page.locator("#saved")).to_contain_text("3 changes are kept here")
        page.close()
        server.start()
        page = opened(server.address)
        expect(page.locator("#saved")).to_have_text("Removed", timeout=PATIENCE)
        expect(page.locator("#outlines li")).to_have_count(1)
        (left,) = read_outlines(store)
        assert left != first
        check_refusal(page)
    entry = read_catalogue(store).find(f"outlined_{YEAR}")
    assert entry is not None
    assert entry.features == 1


def triangle(page: Page, x: int) -> None:
    """Draw and save one, with a corner so many pixels of the screen to the east."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    for place in ((x, 200), (x + 40, 200), (x, 250)):
        page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    page.keyboard.press("Enter")
    page.keyboard.press("s")


def check_refusal(page: Page) -> None:
    """An outline that crosses itself comes back as it was drawn, to be corrected."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    for x, y in ((400, 400), (460, 460), (460, 400), (400, 460)):
        page.mouse.click(box["x"] + x, box["y"] + y)
    page.keyboard.press("Enter")
    page.keyboard.press("s")
    expect(page.locator("#trouble")).to_contain_text("the outline crosses or touches itself", timeout=PATIENCE)
    expect(page.locator("#state")).to_contain_text("Closed: 4 corners")
    page.keyboard.press("Escape")
    expect(page.locator("#outlines li")).to_have_count(1)


def without_ground_truth(folder: Path) -> Chain:
    """A project that knows where one mine may be, and has no outline of any."""
    chain = Chain(folder).prepared()
    chain.change("steps = 48", "steps = 24")  # enough for a model; nobody could judge it
    store = chain.project.lake.store
    for name in ("simulated_broad", "simulated_precise"):
        withdraw(store, name)
    Inputs(store).remove(PROMOTED_SITES_PATH)
    (folder / "box.geojson").write_text(gpd.GeoSeries([mine(chain).envelope.buffer(2e-4)], crs=WGS84).to_json())
    promote(store, folder / "box.geojson", "somebody saw it")
    report = run(chain, "+imagery/imagery", (YEAR,))
    assert not report.failures, report.failures
    return chain


def mine(chain: Chain) -> shapely.Polygon:
    """The largest mine of the first region in that year (EPSG:4326)."""
    region = next(iter(chain.project.active_regions().values()))
    mines = WORLD.truth(YEAR).to_crs(WGS84).geometry
    return max((one for one in mines if region.geometry.contains(one)), key=lambda one: one.area)


@pytest.mark.slow
def test_a_site_that_is_outlined_here_trains_a_model(tmp_path: Path, opened: Callable[[str], Page]) -> None:
    chain = without_ground_truth(tmp_path / "chain")
    project = chain.project
    desk = Desk(project, SitePlaces(project, tuple(project.active_regions())), "anna", "CC0-1.0")
    (place,) = desk.places.listed
    truth = mine(chain)
    with hosted(outline_page(desk)) as server:
        page = opened(server.address)
        expect(page.locator("#canvas image")).to_have_count(1, timeout=PATIENCE)
        assert violations(page) == []
        draw(page, desk, truth.simplify(4e-5))
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_contain_text("Closed")
        page.keyboard.press("s")
        expect(page.locator("#saved")).to_have_text("Saved as ground truth", timeout=PATIENCE)
        expect(page.locator("#outlines")).to_contain_text("anna")
        assert violations(page) == []
    (outline,) = read_outlines(project.lake.store)
    assert (outline.place, outline.year, outline.author) == (place.name, YEAR, "anna")
    shared, whole = (f(outline.polygon, truth).area for f in (shapely.intersection, shapely.union))
    assert shared / whole > 0.85
    entry = next(one for one in catalogue(chain.project).entries if one.name == f"outlined_{YEAR}")
    assert (entry.role, entry.reference_year, entry.licence) == ("labels", YEAR, "CC0-1.0")
    assert entry.citation == "Outlined by anna"
    report = run(chain, "+segmentation/segmentation_model", (YEAR,))
    assert not report.failures, report.failures
    sites = read_geoparquet(chain.open("sites", "sites", place.region).file("sites.parquet"))
    assert list(sites["origin"]) == ["reference"]
    model = chain.open("segmentation", "segmentation_model")
    assert model.manifest.complete


def draw(page: Page, desk: Desk, outline: shapely.Polygon) -> None:
    """Set its corners by mouse; one that is wrong is undone, and the last one is set by keys."""
    (place,) = desk.places.listed
    image = desk.images_of(place)[YEAR]
    width, box = image.clear_count.shape[1], page.locator("#canvas").bounding_box()
    assert box is not None
    unit = width / box["width"]
    corners = pixels_of(image, shapely.get_coordinates(outline.exterior)[:-1]) / unit + [box["x"], box["y"]]
    for x, y in corners[:-1]:
        page.mouse.click(x, y)
    x, y = corners[-1]
    steps = 5
    page.mouse.click(x + steps * max(1.0, 2.0 * unit) / unit, y)
    expect(page.locator("#state")).to_have_text(f"{len(corners)} corners set.")
    page.keyboard.press("Backspace")
    expect(page.locator("#state")).to_have_text(f"{len(corners) - 1} corners set.")
    for _ in range(steps):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_text(f"{len(corners)} corners set.")
