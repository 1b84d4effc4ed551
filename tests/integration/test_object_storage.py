"""The same chain with its lake in an object store: the same hashes, and the same behaviour when it is disturbed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import DEMO, Command, command
from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.lake.object_store import ObjectStore
from servers.processes import free_port
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def staged(chain: Chain) -> list[str]:
    folder = chain.folder / "state" / "lake-cache" / "staging"
    return sorted(p.name for p in folder.glob("*~*") if p.suffix != ".lock")


@pytest.mark.chaos
def test_the_chain_makes_the_same_in_an_object_store(finished: Chain, bucket: str, tmp_path: Path) -> None:
    chain = Chain(tmp_path, home=f"{bucket}/some/project")
    killed = Command(chain, *DEMO)
    assert killed.wait_for(lambda: any(name.startswith("chips~training_chips") for name in staged(chain)))
    assert killed.end(signal.SIGKILL).code == -signal.SIGKILL
    whole = {str(m.ref) for m in chain.manifests()}
    assert whole

    end = command(chain, *DEMO)
    assert end.code == 0, end.text
    assert len(end.said("kept")) == len(whole)
    assert chain.contents() == finished.contents()
    assert not staged(chain)

    elsewhere = Chain(tmp_path / "elsewhere", home=chain.home)
    again = command(elsewhere, *DEMO)
    assert again.code == 0, again.text
    assert "1 asset partitions made" in again.text, "only the database belongs to a machine"
    assert all(elsewhere.project.lake.is_whole(manifest) for manifest in elsewhere.manifests())

    status = command(chain, "status", "--years", "2017-2019")
    assert status.code == 0
    assert "s3://bucket/some/project" in status.text
    assert_loads(chain)


def assert_loads(chain: Chain) -> None:
    """Dagster's own tools load the project."""
    home = chain.environment.dagster_home
    environment = os.environ | {
        "MINEMAP_HOME": chain.home,
        "MINEMAP_STATE": str(chain.environment.state),
        "DAGSTER_HOME": str(home),
    }
    words = ["definitions", "validate", "-m", "dagster_project.definitions"]
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_copies_follow_their_objects(bucket: str, tmp_path: Path) -> None:
    ours, theirs = (ObjectStore(f"{bucket}/copies", tmp_path / name) for name in ("ours", "theirs"))
    with_folder = ours.staging() / "file"
    with_folder.write_text("one")
    ours.put(with_folder, "a/b.txt")
    assert ours.fetch("a/b.txt").read_text() == theirs.fetch("a/b.txt").read_text() == "one"
    theirs.write_bytes("a/b.txt", b"two")
    assert ours.fetch("a/b.txt").read_text() == "two"
    assert {path: entry.bytes for path, entry in ours.entries("a").items()} == {"a/b.txt": 3}
    theirs.delete("a/b.txt")
    assert ours.size("a/b.txt") is None
    shutil.rmtree(tmp_path / "ours")
    ours.write_bytes("a/c.txt", b"three")
    assert list(ours.list("a")) == ["a/c.txt"]
    assert ours.fetch("a/c.txt").read_text() == "three"


def test_a_bucket_that_is_not_there_is_said_in_words(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore(bucket.replace("bucket", "nowhere"), tmp_path)
    with pytest.raises(BadInputError, match=r"^MINEMAP_HOME is s3://nowhere, and there is no such bucket"):
        store.write_bytes("a.txt", b"x")


def test_a_server_that_does_not_answer_is_said_in_words(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RetryableError, match=r"^MINEMAP_HOME is s3://bucket, and http://127\.0\.0\.1:\d+ gives no"):
        ObjectStore(bucket, tmp_path).read_bytes("a.txt")
