"""What a run has spent, held to its budget while it goes on."""

import pytest

from minemap_assets.errors import QuotaError
from minemap_assets.imagery.config import BudgetConfig
from minemap_assets.net.usage import charge, metered, run_usage


def test_the_last_request_that_is_allowed_is_sent_and_no_further_one() -> None:
    with run_usage(BudgetConfig(requests=3)), metered():
        for _ in range(3):
            charge(requests=1)
        for _ in range(2):
            with pytest.raises(QuotaError, match=r"used up requests under \[imagery.budget\] with 3 requests"):
                charge(requests=1)


def test_bytes_beyond_the_limit_end_everything_that_follows() -> None:
    with run_usage(BudgetConfig(gigabytes=1e-6)), metered():
        charge(size=1000)
        with pytest.raises(QuotaError, match="used up gigabytes"):
            charge(size=1)
        with pytest.raises(QuotaError, match="used up gigabytes"):
            charge(requests=1)


def test_downloads_have_a_limit_of_their_own() -> None:
    with run_usage(BudgetConfig(planet_downloads=1, requests=100)), metered():
        charge(downloads=1)
        with pytest.raises(QuotaError, match="1 Planet downloads"):
            charge(downloads=1)
        charge(requests=1)


def test_partitions_of_one_run_count_together_and_the_next_run_begins_anew() -> None:
    for _ in range(2):
        with run_usage(BudgetConfig(requests=2)):
            for _ in range(2):
                with run_usage(BudgetConfig(requests=2)), metered():
                    charge(requests=1)
            with metered(), pytest.raises(QuotaError):
                charge(requests=1)


def test_questions_of_an_estimate_do_not_count() -> None:
    charge(requests=1)
    with run_usage(BudgetConfig(requests=0)):
        charge(requests=1)
        with metered(), pytest.raises(QuotaError):
            charge(requests=1)
        charge(requests=1)
