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
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.earth_engine.config import MOST_BYTES, EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.images import (
    Listed,
    Listing,
    collection_for,
    parse_listing,
)
from minemap_assets.imagery.sources.earth_engine.service_errors import (
    TooMuchError,
    error_for,
    is_spent,
    is_too_fast,
    server_message,
)
from minemap_assets.imagery.sources.earth_engine.tiles import halves, parts
from minemap_assets.project.settings import parse_settings

CONFIG = EarthEngineConfig()
SEASON = SeasonRule().season(2019)
NICFI = collection_for("planet-nicfi", CONFIG, 20.0)
SCENES = collection_for("sentinel-2-l2a", CONFIG, 20.0)


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
    answer = {"index": names, "start": starts, "scored": names, "baseline": ["02.07", "05.00", "02.07"]}
    listing = parse_listing(answer, SCENES, SEASON)
    assert listing.pictures == (("20190601_T22MDB",), ("20190703_T22MDB", "20190703_T22MDC"))
    assert listing.baselines == ("02.07", "05.00")
    assert listing.unscored == ()


def test_scenes_without_a_cloud_score_are_named() -> None:
    answer = {"index": ["a", "b"], "start": [ms(2019, 7, 3)] * 2, "scored": ["b"], "baseline": []}
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
        (403, "Project x is not registered to use Earth Engine.", AuthenticationError, "register the project"),
        (403, "Caller does not have required permission to use project x.", AuthenticationError, "Service Usage"),
        (
            400,
            f"ImageCollection.load: ImageCollection asset '{ASSET}' not found (does not exist or caller does not have "
            "access).",
            NotEntitledError,
            "ask for access to the NICFI programme",
        ),
        (
            403,
            "Permission 'earthengine.assets.get' denied on resource 'projects/x/assets/y' (or it may not exist).",
            NotEntitledError,
            "projects/x/assets/y; check its name",
        ),
        (429, "Quota exceeded for limit 'EECU-time per month in seconds'.", QuotaError, "wait until it is renewed"),
        (429, "Too Many Requests", RetryableError, "run again later"),
        (503, "", RetryableError, "run again later"),
        (400, "User memory limit exceeded.", TooMuchError, "one piece"),
        (400, "Computation timed out.", TooMuchError, "one piece"),
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
    assert is_spent(429, "limit 'Earth Engine compute time (EECU-time) per month in seconds'")
    assert not is_spent(500, "per month")
    assert is_too_fast(403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}')
    assert not is_too_fast(403, b'{"error": {"message": "PERMISSION_DENIED"}}')


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
