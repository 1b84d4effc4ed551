"""What is found between figures that were accepted and figures of now: drawn by hand, and at the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.publication.config import ReleaseConfig
from minemap_assets.publication.figures import CountryFigures, YearFigures
from minemap_assets.publication.review import Finding, FindingKind, findings

RULES = ReleaseConfig(country_change=0.25, country_change_km2=1.0, coverage_loss=0.05)


def year(
    area: float | None = 10.0,
    *,
    product: str = "sentinel-2-l2a",
    covered: float | None = 1.0,
    verdict: str | None = "usable",
) -> YearFigures:
    countries = {"XAA": CountryFigures(name="Aland", area_km2=area)}
    return YearFigures(countries=countries, products=(product,), covered_share=covered, verdict=verdict)


def kinds(found: tuple[Finding, ...]) -> list[tuple[int, FindingKind]]:
    return [(one.year, one.kind) for one in found]


def test_the_first_year_of_a_project_has_nothing_to_be_compared_with() -> None:
    assert findings({2019: year(500.0)}, {}, RULES) == ()


def test_a_new_year_is_compared_with_the_year_before() -> None:
    found = findings({2019: year(10.0), 2020: year(13.0)}, {}, RULES)
    assert kinds(found) == [(2020, FindingKind.COUNTRY)]
    assert found[0].country_iso3 == "XAA"
    assert found[0].sentence == "2020: Aland has 13.00 km2, against 10.00 (+30%) in 2019"


def test_a_year_that_was_accepted_is_compared_with_itself() -> None:
    now = {2019: year(10.0), 2020: year(13.0)}
    assert findings(now, now, RULES) == ()
    revised = findings({2019: year(10.0), 2020: year(20.0)}, now, RULES)
    assert [one.compared_with for one in revised] == ["2020 as it was accepted"]


def test_drift_in_small_steps_is_seen_against_what_was_accepted() -> None:
    accepted = {2019: year(10.0)}
    assert findings({2019: year(12.0)}, accepted, RULES) == ()
    assert kinds(findings({2019: year(12.6)}, accepted, RULES)) == [(2019, FindingKind.COUNTRY)]


def test_a_country_waits_only_beyond_both_bounds() -> None:
    small = {2019: year(0.5)}
    assert findings({2019: year(1.4)}, small, RULES) == ()
    assert kinds(findings({2019: year(1.6)}, small, RULES)) == [(2019, FindingKind.COUNTRY)]
    assert findings({2019: year(124.0)}, {2019: year(100.0)}, RULES) == ()


def test_a_country_that_is_not_observed_any_more_is_not_zero() -> None:
    found = findings({2019: year(None)}, {2019: year(10.0)}, RULES)
    assert [one.sentence for one in found] == ["2019: Aland is not observed any more in 2019 as it was accepted"]


def test_a_country_that_comes_or_goes_is_named() -> None:
    gone = YearFigures(countries={}, products=("sentinel-2-l2a",), covered_share=1.0, verdict="usable")
    assert kinds(findings({2019: gone}, {2019: year(10.0)}, RULES)) == [(2019, FindingKind.COUNTRY)]
    assert kinds(findings({2019: year(10.0)}, {2019: gone}, RULES)) == [(2019, FindingKind.COUNTRY)]


def test_another_product_a_worse_verdict_and_less_ground_wait() -> None:
    before = {2019: year()}
    assert kinds(findings({2019: year(product="planet-nicfi")}, before, RULES)) == [(2019, FindingKind.PRODUCT)]
    assert kinds(findings({2019: year(verdict="weak")}, before, RULES)) == [(2019, FindingKind.VERDICT)]
    assert kinds(findings({2019: year(verdict="cannot be judged")}, before, RULES)) == [(2019, FindingKind.VERDICT)]
    assert kinds(findings({2019: year(covered=0.94)}, before, RULES)) == [(2019, FindingKind.COVERAGE)]
    assert kinds(findings({2019: year(covered=None)}, before, RULES)) == [(2019, FindingKind.COVERAGE)]


def test_what_became_better_waits_for_nobody() -> None:
    before = {2019: year(verdict="weak", covered=0.5)}
    assert findings({2019: year(verdict="usable", covered=1.0)}, before, RULES) == ()


def test_a_verdict_nobody_recorded_says_nothing_of_a_fall() -> None:
    assert findings({2019: year(verdict=None)}, {2019: year(verdict=None)}, RULES) == ()
    assert findings({2019: year()}, {2019: year(verdict=None)}, RULES) == ()


areas = st.one_of(st.none(), st.floats(0.0, 1e5))


@given(before=areas, after=areas)
def test_nothing_is_found_between_equal_figures_and_bounds_hold(before: float | None, after: float | None) -> None:
    assert findings({2019: year(after)}, {2019: year(after)}, RULES) == ()
    found = findings({2019: year(after)}, {2019: year(before)}, RULES)
    if after is None:
        assert bool(found) == (before is not None)
    else:
        held = before or 0.0
        beyond = abs(after - held) > RULES.country_change_km2 and abs(after - held) > RULES.country_change * held
        assert bool(found) == beyond
