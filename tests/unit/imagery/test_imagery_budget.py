"""Adding up what imagery needs, and holding it to a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.registry import Registry
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.budget import check_budget, excesses
from minemap_assets.imagery.config import BudgetConfig, ImageryConfig
from minemap_assets.imagery.costs import Cost, Otherwise
from minemap_assets.project.settings import parse_settings

costs = st.builds(
    Cost,
    site_years=st.integers(0, 9),
    requests=st.integers(0, 999),
    other_bytes=st.integers(0, 10**12),
    quads=st.frozensets(st.sampled_from(["2021-06/1-1", "2021-06/1-2", "2021-07/1-1"])),
)


@given(costs, costs, costs)
def test_adding_up_does_not_depend_on_the_order(one: Cost, two: Cost, three: Cost) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + Cost() == one


def test_another_way_is_added_up_only_with_its_like() -> None:
    tiles, quads = (Otherwise(f'reads = "{way}"', Cost(requests=2, other_bytes=10**7)) for way in ("tiles", "quads"))
    by_quads = Cost(requests=1, otherwise=tiles)
    both = by_quads + by_quads + Cost(requests=5)
    assert str(both.otherwise) == 'with reads = "tiles" 0.02 GB, 4 requests and 0 downloads'
    assert (by_quads + Cost(otherwise=quads)).otherwise is None


def test_a_budget_names_every_figure_that_passes_it_and_what_to_do() -> None:
    cost = Cost(requests=12_400, other_bytes=90_000_000_000, quads=frozenset({"a", "b"}))
    budget = BudgetConfig(requests=10_000, gigabytes=100, planet_downloads=1)
    with pytest.raises(
        BadInputError, match=r"12,400 requests where requests allows 10,000 and 2 Planet downloads"
    ) as e:
        check_budget(cost, budget)
    assert "[imagery.budget]" in str(e.value)
    assert "GB" not in str(e.value)
    check_budget(cost, BudgetConfig())


def test_a_budget_is_kept_to_the_last_unit() -> None:
    cost = Cost(requests=100)
    assert excesses(cost, BudgetConfig(requests=100)) == ()
    assert excesses(cost, BudgetConfig(requests=99))
    assert excesses(Cost(requests=1), BudgetConfig(requests=0))


def test_a_budget_is_a_setting() -> None:
    sections = Registry().parts().sections
    settings = parse_settings("[imagery.budget]\ngigabytes = 2.5\n", sections)
    assert settings.section(ImageryConfig).budget == BudgetConfig(gigabytes=2.5)
    with pytest.raises(BadInputError, match="at least 0"):
        parse_settings("[imagery.budget]\nrequests = -1\n", sections)
