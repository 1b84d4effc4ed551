"""Limits that processes share: never passed, whoever asks first, and hardly ever asked for at the store."""

import subprocess
import sys
from pathlib import Path

import pytest

from minemap_assets.errors import QuotaError, StorageError
from minemap_assets.imagery.config import BudgetConfig
from minemap_assets.lake.store import LocalStore
from minemap_assets.net.ledger import FOLDER, LakeLedger
from minemap_assets.net.usage import charge, metered, run_usage, usage_ledger

SPENDING = """
import sys
from pathlib import Path
from minemap_assets.errors import QuotaError
from minemap_assets.imagery.config import BudgetConfig
from minemap_assets.lake.store import LocalStore
from minemap_assets.net.usage import charge, metered, run_usage, usage_ledger

sent = 0
try:
    with usage_ledger(LocalStore(Path(sys.argv[1])), sys.argv[2]), run_usage(BudgetConfig(requests=200)), metered():
        while sent < int(sys.argv[3]):
            charge(requests=1)
            sent += 1
except QuotaError:
    pass
print(sent)
"""


def spend(root: Path, launch: str, each: int, processes: int) -> list[int]:
    """Requests that processes sent side by side, each as many as it may and wants to."""
    words = [sys.executable, "-c", SPENDING, str(root), launch, str(each)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return [int(one.communicate(timeout=120)[0]) for one in running]


def test_processes_of_one_launch_stay_inside_one_budget_and_use_all_of_it(tmp_path: Path) -> None:
    sent = spend(tmp_path, "backfill abc", 1000, 4)
    assert sum(sent) <= 200
    with usage_ledger(LocalStore(tmp_path), "backfill abc"), run_usage(BudgetConfig(requests=200)), metered():
        for _ in range(200 - sum(sent)):
            charge(requests=1)
        with pytest.raises(QuotaError, match=r"used up requests under \[imagery.budget\] with 200 requests"):
            charge(requests=1)


def test_what_was_taken_and_not_used_is_given_back(tmp_path: Path) -> None:
    assert spend(tmp_path, "backfill abc", 50, 3) == [50, 50, 50]
    assert LakeLedger(LocalStore(tmp_path), "backfill abc").taken("requests") == 150


def test_another_launch_has_a_budget_of_its_own_whatever_its_name(tmp_path: Path) -> None:
    assert spend(tmp_path, "../../outside", 1000, 1) == [200]
    assert spend(tmp_path, "dagster/backfill x", 1000, 1) == [200]
    assert sorted(path.parent for path in tmp_path.rglob("*.json")) == [tmp_path / FOLDER] * 2


def test_bytes_of_all_processes_count_together(tmp_path: Path) -> None:
    store, budget = LocalStore(tmp_path), BudgetConfig(gigabytes=1e-6)
    with usage_ledger(store, "tick"), run_usage(budget), metered():
        charge(size=900)
    with usage_ledger(store, "tick"), run_usage(budget), metered():
        charge(size=100)
        with pytest.raises(QuotaError, match="used up gigabytes"):
            charge(size=1)
    with usage_ledger(store, "tick"), run_usage(budget), metered(), pytest.raises(QuotaError, match="gigabytes"):
        charge(requests=1)


def test_a_large_budget_is_asked_for_in_lumps(tmp_path: Path) -> None:
    store, budget = LocalStore(tmp_path), BudgetConfig(requests=10_000)
    written: list[str] = []
    write = store.write_if
    store.write_if = lambda path, data, tag: written.append(path) or write(path, data, tag)  # type: ignore[func-returns-value,method-assign]
    with usage_ledger(store, "command"), run_usage(budget), metered():
        for _ in range(1000):
            charge(requests=1)
    assert len(written) <= 11


def test_without_a_limit_nothing_is_written(tmp_path: Path) -> None:
    with usage_ledger(LocalStore(tmp_path), "command"), run_usage(BudgetConfig()), metered():
        charge(requests=1, size=1000, downloads=1)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_ledger_stops_the_run_with_what_to_do(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write_bytes(LakeLedger(store, "command").path, b"[]")
    with (
        usage_ledger(store, "command"),
        run_usage(BudgetConfig(requests=1)),
        metered(),
        pytest.raises(StorageError, match="remove it to begin counting anew"),
    ):
        charge(requests=1)
