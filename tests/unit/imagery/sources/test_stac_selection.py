"""Which scenes are chosen of several catalogues, none of which is whole."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.scenes import Scene, images_of, parse_scene
from minemap_assets.imagery.sources.stac.search import Box, Catalogues, Selection
from minemap_assets.net.client import Client
from minemap_assets.net.policy import ClientPolicy, Clock
from servers.processes import StacSearch, stac_search
from stac_items import PLACE, Image, item_like, items_like, recorded, season_of_images

C1, PLANETARY, OLDER = StacConfig().collections_for("sentinel-2-l2a")
SEASON = Season(2022, date(2022, 6, 1), date(2022, 9, 1))
ORBITS = (22, 65)
IMAGES = season_of_images(SEASON.start, date(2022, 8, 31), ORBITS)
BANDS = ("blue", "green", "red", "nir")
HASTY = ClientPolicy(attempts=1, timeout=5.0)


def read(item: dict[str, Any], collection: Collection) -> Scene:
    scene = parse_scene(pystac.Item.from_dict(item), collection)
    assert scene is not None
    return scene


def test_recorded_items_are_read_in_every_catalogue_s_words() -> None:
    (svalbard, bering), (denver,) = recorded("earth_search_c1"), recorded("earth_search_l2a")
    c1, l2a = read(svalbard, C1), read(denver, OLDER)
    assert (c1.tile, c1.platform, c1.orbit, c1.baseline, c1.sensed) == ("38XNF", "s2b", 93, "05.11", "20250422T091553")
    assert c1.moment == datetime(2025, 4, 22, 9, 15, 59, tzinfo=UTC)
    assert read(bering, C1).tile == "01WCR"
    assert (l2a.tile, l2a.platform, l2a.orbit, l2a.corrected) == ("13TDE", "s2a", 141, True)
    azure = [read(item, PLANETARY) for item in recorded("planetary_computer")]
    assert {(scene.platform, scene.orbit, scene.baseline) for scene in azure} == {("s2a", 116, "02.12")}
    esa = [read(i, c) for i, c in zip(recorded("copernicus"), copernicus(), strict=False)]
    assert all(scene.orbit and scene.sensed and scene.baseline and scene.tile for scene in esa)


def test_what_an_item_does_not_say_is_read_from_its_other_words() -> None:
    item = item_like(OLDER, IMAGES[0])
    said = item["properties"]
    for name in ("grid:code", "s2:processing_baseline", "s2:datatake_id", "s2:datastrip_id"):
        del said[name]
    said |= {"mgrs:utm_zone": 5, "mgrs:latitude_band": "N", "mgrs:grid_square": "PF"}
    scene = read(item, OLDER)
    assert (scene.tile, scene.baseline, scene.sensed) == ("05NPF", "05.10", "")
    assert scene.moment == IMAGES[0].taken.replace(tzinfo=UTC)
    del said["s2:product_uri"]
    bare = read(item, OLDER)
    assert (bare.moment.date(), bare.baseline, bare.orbit) == (IMAGES[0].taken.date(), "", None)
    assert parse_scene(pystac.Item.from_dict({**item, "geometry": None, "bbox": None}), OLDER) is None


def copernicus() -> Sequence[Collection]:
    return StacConfig(use=("copernicus",)).collections_for("sentinel-2-l2a") * 5


def test_an_overpass_at_midnight_is_one() -> None:
    """Datastrip of 2018-12-31, datatake of 2019-01-01; Earth Search dates an item by its tile's own time."""
    azure = recorded("planetary_computer")[0]
    assert azure["properties"]["s2:datastrip_id"].endswith("_S20181231T235957_N02.12")
    image = Image(datetime(2021, 7, 1, 23, 58), 116, "59VNC")
    ours, theirs = read(item_like(C1, image), C1), read(item_like(PLANETARY, image), PLANETARY)
    assert ours.item.datetime is not None
    assert ours.item.datetime.day == 2
    assert ours.day == theirs.day == date(2021, 7, 1)
    assert ours.overpass == theirs.overpass


def copies(image: Image) -> list[Scene]:
    return [read(item_like(collection, image), collection) for collection in (C1, PLANETARY, OLDER)]


def test_copies_of_an_image_are_found_whatever_their_date_and_processing() -> None:
    ours, theirs, older = copies(IMAGES[0])
    reprocessed = read(item_like(PLANETARY, IMAGES[0], "05.11", "-new"), PLANETARY)
    (chosen,) = images_of([ours, theirs, reprocessed, older])
    assert chosen.key == ours.key
    assert [copy.key for copy in chosen.alternatives] == [reprocessed.key, theirs.key, older.key]
    assert len(images_of([*copies(IMAGES[0]), *copies(IMAGES[1])])) == 2
    half = Image(IMAGES[0].taken, 22, strip=IMAGES[0].taken + timedelta(seconds=200))
    assert len(images_of([*copies(IMAGES[0]), *copies(half)])) == 2
    unsaid = item_like(OLDER, IMAGES[0])
    del unsaid["properties"]["s2:datastrip_id"]
    assert len(images_of([ours, read(unsaid, OLDER)])) == 1


@dataclass
class Sky:
    """Three catalogues on one server."""

    server: StacSearch

    def fill(self, *catalogues: Iterable[dict[str, Any]]) -> None:
        """Items of the first, second and third collection; what is not given is empty."""
        for collection, items in zip((C1, PLANETARY, OLDER), [*catalogues, (), ()], strict=False):
            self.server.put(name_of(collection), list(items), counts=collection is not PLANETARY)
        self.server.forget()

    def open(self, now: datetime = datetime(2022, 12, 1, tzinfo=UTC), **more: Any) -> Catalogues:
        """The catalogues as a source opens them."""
        moved = [c.model_copy(update={"endpoint": f"{self.server.url}/{name_of(c)}"}) for c in (C1, PLANETARY, OLDER)]
        clock = Clock(now=lambda: now)
        clients = {c.endpoint: Client("test", HASTY, clock=clock) for c in moved}
        return Catalogues(moved, clients, **more)

    def select(self, season: Season = SEASON) -> Selection:
        return self.open().select(PLACE, season, BANDS)

    def asked(self) -> list[str]:
        return [body["catalogue"] for body in self.server.log()]


def name_of(collection: Collection) -> str:
    return collection.name.replace("/", "-")


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sky]:
    with stac_search(tmp_path_factory.mktemp("sky")) as server:
        yield Sky(server)


def taken(selection: Selection) -> list[tuple[str, datetime, str]]:
    return [(scene.tile, scene.moment, scene.sensed) for scene in selection.scenes]


def test_a_whole_collection_asks_no_other(sky: Sky) -> None:
    sky.fill(items_like(C1, IMAGES), items_like(PLANETARY, IMAGES))
    found = sky.select()
    assert len(found.scenes) == len(IMAGES) == 37
    assert [(note.collection, note.text) for note in found.notes] == [(C1.name, "37 images")]
    assert found.filled == 0
    assert sky.asked() == [name_of(C1)]


THIRD = [image for number, image in enumerate(IMAGES) if number % 3 == 0]
QUARTERS = [image for number, image in enumerate(IMAGES) if number % 4]
FIFTEENTH = IMAGES[::15]
ONE_ORBIT = [image for image in IMAGES if image.orbit == 22]
ALL_BUT_ONE = IMAGES[:20] + IMAGES[21:]


@pytest.mark.parametrize("held", [THIRD, QUARTERS, FIFTEENTH, ONE_ORBIT, ALL_BUT_ONE, []])
def test_what_a_thinned_collection_lacks_is_filled_scene_by_scene(sky: Sky, held: list[Image]) -> None:
    sky.fill(items_like(C1, held), items_like(PLANETARY, IMAGES))
    found = sky.select()
    assert taken(found) == [(i.tile, i.taken.replace(tzinfo=UTC), f"{i.taken:%Y%m%dT%H%M%S}") for i in IMAGES]
    by_collection = [scene.collection.name for scene in found.scenes]
    assert by_collection.count(C1.name) == len(held)
    assert found.filled == (len(IMAGES) - len(held) if held else 0)
    assert sky.asked() == [name_of(C1), name_of(PLANETARY)]
    assert found.notes[0].text.startswith(f"{len(held)} images, ")
    assert found.notes[0].text.endswith("without one")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_thinning_leads_to_the_same_images(sky: Sky, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.sampled_from(IMAGES), min_size=1, max_size=len(IMAGES) - 1))
    held = [image for image in IMAGES if image not in lost]
    sky.fill(items_like(C1, held), items_like(PLANETARY, IMAGES))
    found = sky.select()
    assert [moment for _, moment, _ in taken(found)] == [image.taken.replace(tzinfo=UTC) for image in IMAGES]
    assert found.filled == len(lost)


def test_a_pass_that_nobody_took_costs_a_search_and_no_image(sky: Sky) -> None:
    sky.fill(*(items_like(collection, ALL_BUT_ONE) for collection in (C1, PLANETARY, OLDER)))
    found = sky.select()
    assert len(found.scenes) == 36
    assert {scene.collection.name for scene in found.scenes} == {C1.name}
    assert [note.text for note in found.notes] == [
        "36 images, 1 pass without one",
        "0 more images, 1 pass without one",
        "0 more images, 1 pass without one",
    ]
    assert [copy.collection.name for copy in found.scenes[0].alternatives] == [PLANETARY.name, OLDER.name]


def broken(item: dict[str, Any], way: str) -> dict[str, Any]:
    asset = next(key for key in ("red", "B04") if key in item["assets"])
    if way == "no bands":
        for key in ("red", "nir", "B04", "B08"):
            item["assets"].pop(key, None)
    elif way == "s3":
        item["assets"][asset]["href"] = "s3://sentinel-s2-l2a/tiles/33/P/TQ/2018/9/9/0/R10m/B04.tif"
    else:
        item["assets"][asset]["href"] = "https://sentinel-cogs.s3.us-west-2.amazonaws.com/33/P/TQ/B04.jp2"
    return item


@pytest.mark.parametrize(
    ("way", "reason"), [("no bands", "no asset red, nir"), ("s3", "s3://sentinel-s2-l2a"), ("jp2", "B04.jp2")]
)
def test_a_broken_item_never_hides_its_good_copy(sky: Sky, way: str, reason: str) -> None:
    ours = list(items_like(C1, IMAGES))
    broken(ours[4], way)
    sky.fill(ours, items_like(PLANETARY, IMAGES))
    found = sky.select()
    assert len(found.scenes) == 37
    assert found.scenes[4].collection.name == PLANETARY.name
    assert found.filled == 1
    (left,) = found.left_out
    assert left.collection == f"{C1.name}/{ours[4]['id']}"
    assert reason in left.text
    assert len(sky.open().select(PLACE, SEASON).left_out) == 0  # nothing is asked of files that nobody wants


def test_a_good_copy_can_be_had_of_an_image_that_breaks_while_it_is_read(sky: Sky) -> None:
    azure = list(items_like(PLANETARY, IMAGES))
    broken(azure[7], "no bands")
    sky.fill(items_like(C1, IMAGES), azure, items_like(OLDER, IMAGES))
    catalogues = sky.open()
    scenes = catalogues.select(PLACE, SEASON, BANDS).scenes
    assert scenes[3].alternatives == ()
    names = [copy.collection.name for copy in catalogues.copies(scenes[3], PLACE, SEASON, BANDS)]
    assert names == [PLANETARY.name, OLDER.name]
    assert [c.collection.name for c in catalogues.copies(scenes[7], PLACE, SEASON, BANDS)] == [OLDER.name]
    assert sky.asked().count(name_of(PLANETARY)) == 1


def test_the_choice_has_a_digest(sky: Sky) -> None:
    sky.fill(items_like(C1, IMAGES))
    whole = sky.select()
    assert sky.select().digest == whole.digest
    sky.fill(items_like(C1, ALL_BUT_ONE), items_like(PLANETARY, IMAGES))
    filled = sky.select()
    assert filled.digest != whole.digest
    sky.fill(items_like(C1, ALL_BUT_ONE, "05.11"), items_like(PLANETARY, IMAGES))
    assert sky.select().digest not in (filled.digest, whole.digest)


def test_holdings_change_when_a_catalogue_fills_its_gaps_and_not_with_a_late_image(sky: Sky) -> None:
    rule = SeasonRule(first_month=6, last_month=8)
    sky.fill(items_like(C1, THIRD), items_like(PLANETARY, IMAGES), items_like(OLDER, IMAGES))
    thin = sky.open().holdings(rule, [2021, 2022])
    assert thin[2022] == f"{C1.name}: about 13 images; {OLDER.name}: about 37 images"
    assert thin[2021] == f"{C1.name}: no images; {OLDER.name}: no images"
    assert sky.asked().count(name_of(PLANETARY)) == 1  # it does not say, and is not asked again
    sky.fill(items_like(C1, THIRD), (), items_like(OLDER, ALL_BUT_ONE))
    assert sky.open().holdings(rule, [2022])[2022] == thin[2022]
    sky.fill(items_like(C1, IMAGES), (), items_like(OLDER, IMAGES))
    assert sky.open().holdings(rule, [2022])[2022] != thin[2022]


@dataclass(frozen=True)
class Listed:
    """Items at hand."""

    held: Sequence[dict[str, Any]]

    def items(self, collection: str, box: Box, first: date, last: date) -> Iterable[dict[str, Any]]:
        box_there = shapely.box(*box)
        return [
            item
            for item in self.held
            if item["collection"] == collection
            and first.isoformat() <= item["properties"]["datetime"][:10] <= last.isoformat()
            and shapely.geometry.shape(item["geometry"]).intersects(box_there)
        ]


def test_an_index_stands_in_for_a_service_that_cannot_be_reached(sky: Sky, tmp_path: Path) -> None:
    sky.fill(items_like(C1, IMAGES))
    with stac_search(tmp_path) as gone:
        lost = Sky(gone)
    with pytest.raises(RetryableError):
        lost.open().select(PLACE, SEASON)
    index = Listed(list(items_like(C1, IMAGES)))
    found = lost.open(stand_in=index).select(PLACE, SEASON)
    assert taken(found) == taken(sky.select())
    assert "by the static index, because the service cannot be reached" in found.notes[0].text
    alone = lost.open(indexes={f"{lost.server.url}/{name_of(C1)}": index}).select(PLACE, SEASON)
    assert (taken(alone), alone.notes[0].text) == (taken(found), "37 images")
