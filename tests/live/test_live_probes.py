"""The real services, asked what we believe of them: each probe by its name in the table of evidence."""

from collections.abc import Callable

import pytest

from live_probes import PROBES, Place, Probe, run

pytestmark = pytest.mark.live


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_service_is_as_we_believe(probe: Probe, place: Place, record_property: Callable[[str, object], None]) -> None:
    outcome = run(probe, place)
    record_property("found", f"{probe.name}: {outcome.verdict}: {outcome.sentence}")
    if outcome.verdict == "not tried":
        pytest.skip(f"{probe.name}: {outcome.sentence}")
    assert outcome.verdict == "as believed", outcome.sentence
