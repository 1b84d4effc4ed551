"""No secret is kept or said: not in logs, events, metadata, tables, caches or messages, whatever a service answers.

Credentials of every kind are planted, runs succeed and fail in every way, and then every file that was written is
searched, whatever its format, with everything that was said on the terminal and to Python's loggers at their loudest.
"""

import base64
import logging
import re
import sqlite3
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow.parquet as pq
import pytest

from earth_engine_world import make_keys
from minemap_assets.lake.object_store import ObjectStore
from roads import Roads, without_secrets
from servers.earth_engine_accounts import Account as EngineAccount
from servers.planet_faults import Account, Fault
from servers.planet_tokens import CLIENT_ID, CLIENT_SECRET
from servers.processes import free_port, running
from servers.unreliable import SIGNATURE
from terminal import Terminal
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STORAGE_KEY = "pl4nted-access-key-00"
STORAGE_SECRET = "pl4nted/secret+of/the+object/store"
WRONG_SECRET = "pl4nted-client-secret-of-nobody"
PASSWORD = "pl4nted-passw0rd"

SIGNATURES = re.compile(
    rb"(?i)[?&](?:signature|sig|x-amz-signature|api_key)=(?!\.\.\.)[^\s\"'&]{6,}|Bearer [\w.-]{6,}|ya29\."
)
"""What signed addresses and tokens look like, where their text is not known beforehand."""

RUN = ("run", "--select", "imagery/imagery", "--years", "2019,2021")


@pytest.fixture(autouse=True)
def _loud(tmp_path: Path) -> Iterator[None]:
    """Everything that any library logs goes into a file."""
    root, handler = logging.getLogger(), logging.FileHandler(tmp_path / "everything.log")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(before)
    root.removeHandler(handler)
    handler.close()


def forms(secret: str) -> set[bytes]:
    """A secret as it may be written."""
    data = secret.encode()
    assert len(data) >= 12, "pieces of less turn up by chance"
    whole = {data, quote(secret, safe="").encode(), data.hex().encode(), secret.encode("utf-16-le")}
    # In base64 the letters depend on where in a text the secret begins; those at its ends on what is around it.
    shifted = {base64.b64encode(b"\0" * shift + data)[4 if shift else 0 : -4] for shift in range(3)}
    return whole | shifted | {base64.urlsafe_b64encode(data)[:-4]}


def readings(path: Path) -> Iterator[bytes]:
    """A file's bytes, and what it says where its format hides that."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            yield "\n".join(database.iterdump()).encode()
    elif data.startswith(b"PAR1"):
        table = pq.read_table(path)
        yield f"{table.schema.metadata} {table.to_pydict()}".encode()
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as database:
            for (name,) in database.execute("select name from (show tables)").fetchall():
                yield str(database.execute(f'select * from "{name}"').fetchall()).encode()


def findings(folder: Path, secrets: list[str], leave_out: set[Path]) -> list[str]:
    """Files with a secret in them, and which."""
    wanted = {form: secret for secret in secrets for form in forms(secret)}
    found, searched = [], 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p not in leave_out):
        searched += 1
        for text in readings(path):
            found += [f"{path}: {secret}" for form, secret in wanted.items() if form in text]
            found += [f"{path}: {match[0]!r}" for match in SIGNATURES.finditer(text)]
    assert searched > 20
    return found


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    import pandas as pd

    secret = "pl4nted/secret of 30 letters ab"
    for number in range(25):
        (tmp_path / f"{number}.txt").write_text("nothing")
    (tmp_path / "plain.bin").write_bytes(b"\x00" + secret.encode())
    (tmp_path / "encoded.txt").write_text(quote(secret, safe=""))
    for shift in range(3):
        (tmp_path / f"base{shift}.txt").write_bytes(base64.b64encode(b"x" * shift + secret.encode() + b"yz"))
    pd.DataFrame({"a": [secret] * 3}).to_parquet(tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "signed.txt").write_text("GET https://example.com/a?sig=abcdefgh")
    (tmp_path / "clean.txt").write_text("GET https://example.com/a?sig=...")
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (?)", (secret,))
    names = {line.split(":")[0].rpartition("/")[2] for line in findings(tmp_path, [secret], set())}
    assert names == {
        *("plain.bin", "encoded.txt", "base0.txt", "base1.txt", "base2.txt", "a.parquet", "signed.txt", "a.db"),
    }


class Scene:
    """A person with planted credentials, and all that is said to them."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal
        self.said = (folder / "said.log").open("a")

    def __call__(self, *words: str) -> int:
        answer = self.terminal(*words)
        self.said.write(f"$ {words[0]}\n{answer.out}\n{answer.err}\n")
        self.said.flush()
        return answer.code


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Scene:
    without_secrets(monkeypatch, tmp_path / "home")
    (tmp_path / "temporary").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("MINEMAP_DEBUG", "1")
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path, Terminal(tmp_path, monkeypatch, capfd))


def enter(scene: Scene, chain: Chain) -> None:
    environment = chain.environment
    scene.terminal.setenv(MINEMAP_HOME=environment.home, MINEMAP_STATE=str(environment.state))


def test_nothing_secret_is_kept_or_said(roads: Roads, sites: Chain, scene: Scene, tmp_path: Path) -> None:
    stranger = make_keys()
    key = tmp_path / "credentials" / "key.json"
    chain = roads.project(
        tmp_path / "project", sites, planet_nicfi=["planet-basemaps"], sentinel_2_l2a=["earth-engine", "stac"]
    )
    enter(scene, chain)
    roads.credentials(key.parent)

    def run(kind: str, planet: Account, engine: EngineAccount, expected: int) -> None:
        roads.earth_engine.write_key(key, stranger if kind == "401" else roads.keys, engine)
        scene.terminal.setenv(PL_API_KEY=planet.value, GOOGLE_APPLICATION_CREDENTIALS=str(key))
        roads.stac.server.set(
            share=1.0 if kind else 0.0, kinds=[kind or "500"], only="/private" if kind != "500" else "/"
        )
        roads.earth_engine.set(share=1.0 if kind == "500" else 0.0, kinds=["500"])
        roads.planet.fail(1.0 if kind == "500" else 0.0, Fault.ERROR)
        assert scene(*RUN) == expected, kind

    run("401", Account.EXPIRED, EngineAccount.GOOD, 1)
    scene("sources")
    run("403", Account.FORBIDDEN, EngineAccount.UNREGISTERED, 1)
    run("500", Account.GOOD, EngineAccount.GOOD, 1)
    scene("sources")
    roads.planet.fail(1.0, Fault.EXPIRED_SIGNATURE)
    assert scene("run", "--select", "imagery/imagery", "--years", "2019") == 1
    run("403", Account.GOOD, EngineAccount.GOOD, 1)  # Planet works; the tokens of Planetary Computer are refused
    run("", Account.GOOD, EngineAccount.GOOD, 0)
    made = {y: set(chain.frame("imagery", "imagery", "place", str(y))["source"]) for y in (2019, 2021)}
    assert made == {2019: {"planet-basemaps"}, 2021: {"earth-engine", "stac"}}
    scene.terminal.setenv(PL_API_KEY="", PL_AUTH_CLIENT_ID=CLIENT_ID)
    for secret, works in ((WRONG_SECRET, "does not work"), (CLIENT_SECRET, "works")):
        scene.terminal.setenv(PL_AUTH_CLIENT_SECRET=secret)
        scene("sources", "planet-basemaps")
        assert f"planet-basemaps {works}" in (tmp_path / "said.log").read_text().rpartition("$ sources")[2]
    tables = ("run", "--select", "imagery_clarity,database", "--years", "2019,2021")
    for words in (tables, ("sources",), ("plan", "--years", "2019-2021"), ("status",)):
        assert scene(*words) == 0, words
    assert list(tmp_path.rglob("*.duckdb"))
    address = f"https://someone:{PASSWORD}@example.com/images"
    (tmp_path / "list.txt").write_text("a.tif")
    assert scene("archive", "index", address, "--files", str(tmp_path / "list.txt"), "--product", "planet-nicfi") == 2

    secrets = [*Account, SIGNATURE, CLIENT_SECRET, WRONG_SECRET, PASSWORD, "token-of-planet-"]
    secrets += [line for pem in (roads.keys.private, stranger.private) for line in pem.splitlines()[1:-2]]
    log = (tmp_path / "everything.log").read_text()
    assert "HTTP/1.1" in log, "the loggers were loud"
    assert findings(tmp_path, secrets, leave_out={key}) == []


def test_keys_of_an_object_store_are_not_kept(roads: Roads, sites: Chain, scene: Scene, tmp_path: Path) -> None:
    port = free_port()
    scene.terminal.setenv(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID=STORAGE_KEY,
        AWS_SECRET_ACCESS_KEY=STORAGE_SECRET,
        **roads.credentials(tmp_path / "credentials"),
    )
    roads.calm()
    with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        address = f"http://127.0.0.1:{port}/bucket"
        urllib.request.urlopen(urllib.request.Request(address, method="PUT")).close()
        chain = Chain(tmp_path / "project", home="s3://bucket/lake")
        enter(scene, chain)
        here, there = sites.project.lake.store, chain.project.lake.store
        for path in here.list("inputs"):
            there.write_bytes(path, here.read_bytes(path))
        there.write_bytes("inputs/minemap.toml", roads.settings(planet_nicfi=["planet-basemaps"]).encode())
        assert scene("run", "--select", "+imagery/imagery", "--years", "2019") == 0
        everything = ObjectStore("s3://bucket", tmp_path / "copies")
        for path in everything.list(""):
            everything.fetch(path)
    assert scene("status") == 1  # the store is gone
    leave_out = {tmp_path / "credentials" / "key.json"}
    assert findings(tmp_path, [STORAGE_KEY, STORAGE_SECRET, Account.GOOD], leave_out) == []
