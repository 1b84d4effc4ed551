"""Earth Engine without a server: choosing images, dividing grids, settings, and what refusals mean."""

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.registry import Registry
from minemap_assets.errors import (
    AuthenticationError,
    BadInputError,
    MinemapError,
    NotEntitledError,
    PermanentError,
    QuotaError,
    RetryableError,
)
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.costs import FetchRequest
from minemap_assets.imagery.seasons import CALENDAR_YEAR, SeasonRule
from minemap_assets.imagery.sources.earth_engine.config import (
    API_URL,
    HIGH_VOLUME_URL,
    MOST_BYTES,
    EarthEngineConfig,
)
from minemap_assets.imagery.sources.earth_engine.costs import EarthEngineCosts
from minemap_assets.imagery.sources.earth_engine.images import (
    Listed,
    Listing,
    collection_for,
    parse_listing,
    place_of,
)
from minemap_assets.imagery.sources.earth_engine.service_errors import (
    REGISTER,
    TooMuchError,
    error_for,
    is_passing,
    is_spent,
    server_message,
)
from minemap_assets.imagery.sources.earth_engine.source import utm_zone
from minemap_assets.imagery.sources.earth_engine.tiles import halves, parts
from minemap_assets.project.settings import parse_settings
from servers.earth_engine import PASSING, REFUSALS

CONFIG = EarthEngineConfig()
SEASON = SeasonRule().season(2019)
NICFI = collection_for("planet-nicfi", CONFIG, 20.0)
SCENES = collection_for("sentinel-2-l2a", CONFIG, 20.0)
VECTORS = collection_for("satellite-embedding", CONFIG, 20.0)


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("longitude", "continent"),
    [(-60.0, "americas"), (-2.0, "africa"), (47.0, "africa"), (110.0, "asia"), (180.0, "asia")],
)
def test_basemaps_are_chosen_by_continent(longitude: float, continent: str) -> None:
    assert collection_for("planet-nicfi", CONFIG, longitude).asset.endswith(f"/{continent}")


def test_a_place_outside_the_named_basemaps_is_an_error() -> None:
    only = EarthEngineConfig.model_validate({"nicfi": [{"asset": "mine", "west": 0.0, "east": 10.0}]})
    assert collection_for("planet-nicfi", only, 5.0).asset == "mine"
    with pytest.raises(BadInputError, match=r"longitude 10\.00; add one to nicfi"):
        collection_for("planet-nicfi", only, 10.0)


def test_band_names_are_the_services() -> None:
    assert [SCENES.bands[b] for b in ("coastal", "blue", "nir", "nir08", "swir22")] == ["B1", "B2", "B8", "B8A", "B12"]
    assert [NICFI.bands[b] for b in ("blue", "green", "red", "nir")] == ["B", "G", "R", "N"]
    assert collection_for("sentinel-2-l1c", CONFIG, 0.0).asset == "COPERNICUS/S2_HARMONIZED"


def test_scenes_of_one_day_are_one_picture_with_the_first_name_on_top() -> None:
    names = ["20190703_T22MDC", "20190601_T22MDB", "20190703_T22MDB"]
    starts = [ms(2019, 7, 3, 13), ms(2019, 6, 1, 0), ms(2019, 7, 3, 23)]
    answer = {"index": names, "start": starts, "scored": names, "version": ["02.07", "05.00", "02.07"]}
    listing = parse_listing(answer, SCENES, SEASON)
    assert listing.pictures == (("20190601_T22MDB",), ("20190703_T22MDB", "20190703_T22MDC"))
    assert listing.versions == ("02.07", "05.00")
    assert listing.unscored == ()


def test_scenes_without_a_cloud_score_are_named() -> None:
    answer = {"index": ["a", "b"], "start": [ms(2019, 7, 3)] * 2, "scored": ["b"], "version": []}
    listing = parse_listing(answer, SCENES, SEASON)
    assert [image.index for image in listing.images] == ["b"]
    assert listing.unscored == ("a",)


def test_a_listing_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"2 images .* and 1 dates"):
        parse_listing({"index": ["a", "b"], "start": [0]}, SCENES, SEASON)
    assert parse_listing({}, SCENES, SEASON) == Listing((), (), ())


HALF_YEARS = {
    "planet_medres_normalized_analytic_2018-12_2019-05_mosaic": (2018, 12),
    "planet_medres_normalized_analytic_2019-06_2019-11_mosaic": (2019, 6),
}


def test_basemaps_of_half_a_year_are_dated_by_name_where_no_end_is_stated() -> None:
    answer = {"index": list(HALF_YEARS), "start": [ms(y, m, 1) for y, m in HALF_YEARS.values()], "end": []}
    (chosen,) = parse_listing(answer, NICFI, SEASON).images
    assert chosen == Listed(date(2019, 6, 1), date(2019, 12, 1), list(HALF_YEARS)[1])
    with pytest.raises(PermanentError, match="neither the properties nor the name"):
        parse_listing({"index": ["a basemap"], "start": [ms(2019, 6, 1)]}, NICFI, SEASON)


def test_months_of_a_season_are_one_picture_each() -> None:
    months = range(5, 13)
    answer = {
        "index": [f"planet_medres_normalized_analytic_2021-{m:02d}_mosaic" for m in months],
        "start": [ms(2021, m, 1) for m in months],
        "end": [ms(2021 + m // 12, m % 12 + 1, 1) for m in months],
    }
    pictures = parse_listing(answer, NICFI, SeasonRule().season(2021)).pictures
    assert [name[-14:-7] for (name,) in pictures] == [f"2021-{m:02d}" for m in range(6, 12)]


def test_basemaps_that_begin_before_the_season_are_asked_for() -> None:
    first, end = NICFI.span(SEASON)
    assert first < date(2018, 12, 1)
    assert end == date(2019, 12, 1)
    assert SCENES.span(SEASON) == (date(2019, 6, 1), date(2019, 12, 1))


def test_annual_images_belong_to_calendar_years_only() -> None:
    assert VECTORS.span(CALENDAR_YEAR.season(2021)) == (date(2021, 1, 1), date(2022, 1, 1))
    with pytest.raises(BadInputError, match=r"none of the days from 2019-06-01 to 2019-11-30; set the season's months"):
        VECTORS.span(SEASON)


def test_embeddings_are_planned_from_their_first_year_on() -> None:
    costs, grid = EarthEngineCosts(CONFIG, VECTORS.product), square_grid(5e5, 9.3e6, 512, 32722, 10.0)
    assert [costs.serves(grid, CALENDAR_YEAR.season(year)) for year in (2016, 2017)] == [False, True]
    cost = costs.cost(FetchRequest(VECTORS.product, CALENDAR_YEAR.season(2021), tuple(VECTORS.bands), (grid,)))
    assert cost.requests == 2


def test_annual_images_of_the_grids_own_zone_lie_on_top() -> None:
    answer = {
        "index": ["a", "c", "b"],
        "start": [ms(2021, 1, 1)] * 3,
        "zone": ["21S", "22S", "22S"],
        "version": ["1.0", "1.0", "1.0"],
    }
    listing = parse_listing(answer, VECTORS, CALENDAR_YEAR.season(2021))
    assert listing.around(utm_zone(square_grid(5e5, 9.3e6, 8, 32722))) == ("b", "c", "a")
    assert listing.around(utm_zone(square_grid(5e5, 1e6, 8, 32622))) == ("a", "b", "c")
    assert (listing.images[0].end, listing.versions) == (date(2022, 1, 1), ("1.0",))


def test_collections_are_asked_about_a_place_that_they_show() -> None:
    americas, africa, asia = (place_of(one.asset, CONFIG) for one in CONFIG.nicfi)
    assert americas[0] < -25.0 < africa[0] < 60.0 < asia[0]
    assert place_of(CONFIG.sentinel2_l2a, CONFIG) == americas
    only = EarthEngineConfig.model_validate({"nicfi": [{"asset": "mine", "west": 0.0, "east": 10.0}]})
    assert place_of("mine", only) == (5.0, 0.0)


def test_what_needs_no_computing_goes_to_the_high_volume_endpoint() -> None:
    assert CONFIG.endpoint(computes=True) == API_URL
    assert CONFIG.endpoint(computes=False) == HIGH_VOLUME_URL
    private = EarthEngineConfig(url="https://ee.example.org")
    assert private.endpoint(computes=False) == private.endpoint(computes=True) == "https://ee.example.org"


@given(st.integers(1, 30).map(lambda n: 2 * n), st.integers(1, 60), st.integers(2, 28), st.integers(64, 10_000))
def test_parts_cover_a_grid_once_and_fit(height: int, narrower: int, pixel_bytes: int, most: int) -> None:
    grid = square_grid(500_000.0, 9_300_000.0, height, 32722)[:, : max(1, height - narrower)]
    seen = np.zeros(grid.shape, dtype=int)
    for part in parts(grid, pixel_bytes, most):
        assert part.shape[0] * part.shape[1] * pixel_bytes <= most
        column, row = (~grid.affine) @ (part.affine.c, part.affine.f)
        seen[round(row) : round(row) + part.shape[0], round(column) : round(column) + part.shape[1]] += 1
    assert (seen == 1).all()


def test_an_ordinary_site_is_one_part() -> None:
    assert len(list(parts(square_grid(5e5, 9.3e6, 2000, 32722), 10, MOST_BYTES))) == 1
    assert len(list(parts(square_grid(5e5, 9.3e6, 4000, 32722), 10, MOST_BYTES))) == 4


def test_halves_cut_the_longer_side() -> None:
    grid = square_grid(5e5, 9.3e6, 8, 32722)
    assert [h.shape for h in halves(grid)] == [(4, 8), (4, 8)]
    assert [h.shape for h in halves(grid[:3, :])] == [(3, 4), (3, 4)]
    with pytest.raises(ValueError, match="one pixel"):
        halves(grid[:1, :1])


ASSET = "projects/planet-nicfi/assets/basemaps/africa"


@pytest.mark.parametrize(
    ("status", "message", "kind", "step"),
    [
        (
            401,
            "Request had invalid authentication credentials: Bearer ya29.abc",
            AuthenticationError,
            "earthengine auth",
        ),
        (
            400,
            f"ImageCollection.load: ImageCollection asset '{ASSET}' not found (does not exist or caller does not have "
            "access).",
            NotEntitledError,
            "is no longer given; name an archive",
        ),
        (
            403,
            "Permission 'earthengine.assets.get' denied on resource 'projects/x/assets/y' (or it may not exist).",
            NotEntitledError,
            "projects/x/assets/y; check its name",
        ),
        (429, "Quota exceeded for limit 'EECU-time per day in seconds'.", QuotaError, "wait until it is renewed"),
        (403, "Quota exceeded: noncommercial compute quota of this project", QuotaError, "wait until it is renewed"),
        (
            403,
            "Noncommercial eligibility of project x must be verified.",
            AuthenticationError,
            f"about it at {REGISTER}",
        ),
        (429, "Too Many Requests", RetryableError, "run again later"),
        (503, "", RetryableError, "run again later"),
        (400, "User memory limit exceeded.", TooMuchError, "one piece"),
        (400, "Image.select: Band pattern 'B77' did not match any bands.", PermanentError, "check the collections"),
    ],
)
def test_every_refusal_has_its_kind_and_next_step(
    status: int, message: str, kind: type[MinemapError], step: str
) -> None:
    error = error_for(status, message, ASSET)
    assert type(error) is kind
    assert step in str(error)
    assert "\n" not in str(error)
    assert "ya29" not in str(error)


RECORDED: dict[str, tuple[type[MinemapError], str]] = {
    "unregistered": (AuthenticationError, f"is not registered for Earth Engine; register it at {REGISTER}"),
    "not signed up": (AuthenticationError, f"register it at {REGISTER}"),
    "unverified": (AuthenticationError, f"is not verified; answer the questions about it at {REGISTER}"),
    "interface not enabled": (AuthenticationError, "enable it at https://console.cloud.google.com/apis/library/"),
    "no role in the project": (AuthenticationError, "Service Usage Consumer"),
    "timed out": (TooMuchError, "in one piece"),
    "too many bytes": (TooMuchError, "in one piece"),
    **dict.fromkeys(PASSING, (RetryableError, "run again later")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_recorded_refusal_is_understood(name: str) -> None:
    known = REFUSALS[name]
    kind, step = RECORDED[name]
    error = error_for(known["status"], known["message"], ASSET)
    assert type(error) is kind
    assert step in str(error)


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500, 503])
@pytest.mark.parametrize("name", ["too many aggregations", "memory capacity", "capacity", "restricted"])
def test_what_passes_is_asked_again_whatever_the_status(status: int, name: str) -> None:
    body = json.dumps({"error": {"code": status, "message": REFUSALS[name]["message"]}}).encode()
    assert is_passing(status, body)
    assert isinstance(error_for(status, REFUSALS[name]["message"], ASSET), RetryableError)
    assert not is_passing(200, body)


def test_no_credential_survives_in_a_message_of_the_service() -> None:
    message = (
        "bad header Bearer ya29.a0Af_x-Z and 1//0gLong-Token and eyJhbGciOi.J9\n-----BEGIN" + " PRIVATE KEY-----\nabc"
    )
    text = str(error_for(400, message, ASSET))
    for secret in ("ya29", "0gLong", "eyJ", "BEGIN", "abc"):
        assert secret not in text


def test_a_rate_is_not_an_allowance() -> None:
    rate = "Quota exceeded for quota metric 'Number of read requests' and limit 'Number of read requests per minute'"
    assert not is_spent(429, rate)
    assert is_spent(429, "limit 'Earth Engine compute time (EECU-time) per day in seconds'")
    assert not is_spent(500, "per month")
    assert not is_spent(403, "this project is not verified for noncommercial use")
    assert is_passing(403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}')
    assert not is_passing(403, b'{"error": {"message": "PERMISSION_DENIED"}}')
    assert not is_passing(400, b'{"error": {"message": "User memory limit exceeded."}}')


@pytest.mark.parametrize("content", [b"", b"slow down", b"{", b"[1]", b'{"error": "text"}', b'{"result": 1}'])
def test_an_answer_without_a_message_has_none(content: bytes) -> None:
    assert not server_message(content)


def test_the_message_is_found() -> None:
    assert server_message(json.dumps({"error": {"code": 400, "message": "why"}}).encode()) == "why"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "earthengine.googleapis.com"},
        {"credentials": "password"},
        {"concurrency": 41},
        {"max_request_bytes": MOST_BYTES + 1},
        {"clear_score": 1.1},
        {"workload_tag": "Mine Map"},
        {"nicfi": []},
        {"nicfi": [{"asset": "a", "west": 10.0, "east": 0.0}]},
        {"key": "secret"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EarthEngineConfig.model_validate(wrong)


def test_settings_are_read_from_the_project_file() -> None:
    text = '[sources.earth_engine]\nproject = "mine"\nclear_score = 0.5\n'
    config = parse_settings(text, Registry().parts().sections).section(EarthEngineConfig)
    assert config == EarthEngineConfig(project="mine", clear_score=0.5)
    assert config.cloud_score_band == "cs_cdf"
