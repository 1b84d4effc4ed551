"""Metrics as Prometheus reads them: what they count is what there is, and counters never count a run twice."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dagster_project.commands.context import Session
from dagster_project.commands.metrics import metrics
from dagster_project.commands.metrics_format import Family, Sample, render, write
from dagster_project.commands.step_totals import FILE
from dagster_project.instance import open_instance
from minemap_assets.errors import BadInputError
from tiny import WORLD, YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NOW = datetime(YEARS[-1] + 1, 1, 2, tzinfo=UTC)

Numbers = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


def parsed(text: str) -> Numbers:
    """Values by name and label values, in the order of the labels' names."""
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def measured(chain: Chain) -> Numbers:
    session = Session(chain.environment, chain.registry, chain.project_home)
    with open_instance(chain.environment.dagster_home) as instance:
        return parsed(render(metrics(session, instance, NOW)))


def of(numbers: Numbers, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (one, labels), value in numbers.items() if one == name}


def test_they_count_what_there_is(copy: Chain) -> None:
    numbers = measured(copy)
    imagery = {state[1]: n for state, n in of(numbers, "minemap_partitions").items() if state[0] == "imagery/imagery"}
    assert imagery["current"] == len(YEARS) * len(WORLD.regions)
    assert set(imagery) == {"current", "outdated", "damaged", "gaps", "missing"}
    lake = copy.folder / "lake"
    room = [path for path in (lake / "imagery").rglob("*") if path.is_file()]
    assert numbers["minemap_lake_files", ("imagery",)] == len(room)
    assert numbers["minemap_lake_bytes", ("imagery",)] == sum(path.stat().st_size for path in room)
    assert numbers["minemap_lake_bytes", ("trash",)] == 0
    assert numbers["minemap_latest_complete_year", ()] == YEARS[-1]
    assert numbers["minemap_latest_complete_year_age_seconds", ()] == 86_400
    assert numbers["minemap_regions", ("active",)] == len(WORLD.regions)
    assert numbers["minemap_step_seconds_total", ("segmentation/segmentation_model",)] > 0
    assert set(of(numbers, "minemap_gpu_seconds_total")) <= {
        labels for labels in of(numbers, "minemap_step_seconds_total") if labels[0].startswith("segmentation/")
    }
    path = next((lake / "imagery" / "imagery").rglob("*.tif"))
    path.unlink()
    assert of(measured(copy), "minemap_partitions")["imagery/imagery", "damaged"] == 1


def test_a_run_is_counted_once_also_without_the_file(copy: Chain) -> None:
    (copy.folder / "state" / FILE).unlink(missing_ok=True)
    first = measured(copy)
    second = measured(copy)
    assert of(first, "minemap_runs_total") == of(second, "minemap_runs_total")
    assert of(first, "minemap_step_seconds_total") == of(second, "minemap_step_seconds_total")
    shutil.rmtree(copy.folder / "lake" / "tables" / "country_summary" / str(YEARS[0]))
    copy.run("country_summary")
    third = measured(copy)
    assert of(third, "minemap_runs_total")["success",] == of(first, "minemap_runs_total")["success",] + 1
    key = ("tables/country_summary",)
    assert of(third, "minemap_steps_total")[key] == of(first, "minemap_steps_total")[key] + 1
    (copy.folder / "state" / FILE).write_text("{")
    assert of(measured(copy), "minemap_steps_total") == of(third, "minemap_steps_total")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    odd = 'a "quoted" \\ name\nof two lines'
    text = render(
        [Family("minemap_odd", "Odd\nnames \\.", [Sample(0.1, {"b": odd, "a": "x"})]), Family("none", "", [])]
    )
    assert parsed(text) == {("minemap_odd", ("x", odd)): 0.1}
    file = tmp_path / "new" / "minemap.prom"
    write(text, file)
    write(text, file)
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["minemap.prom"]
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match=r"--output: .* cannot be written"):
        write(text, tmp_path / "file" / "minemap.prom")


def test_a_project_of_which_nothing_was_made(tmp_path: Path) -> None:
    numbers = measured(Chain(tmp_path).prepared())
    assert of(numbers, "minemap_partitions")["imagery/imagery", "current"] == 0
    assert ("minemap_latest_complete_year", ()) not in numbers
