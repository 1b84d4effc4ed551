"""The running year on the command line: who asks for it gets it, or one sentence on why there is nothing of it."""

from datetime import UTC, datetime
from pathlib import Path

from terminal import Terminal
from tiny import Chain


def test_a_year_without_images_is_refused_in_one_sentence(minemap: Terminal, with_sites: Chain, tmp_path: Path) -> None:
    """It is no partition in the UI yet, and all the same somebody may try."""
    with_sites.copied(tmp_path / "copy")
    minemap.setenv(MINEMAP_HOME=str(tmp_path / "copy" / "lake"), MINEMAP_STATE=str(tmp_path / "copy" / "state"))
    now = datetime.now(UTC).year
    answer = minemap("run", "--select", "imagery", "--regions", "alder-basin", "--years", str(now))
    assert answer.code == 1, answer.err
    assert f"imagery[alder-basin|{now}]: there is no sentinel-2-l2a imagery for {now} (" in answer.sentence
