"""Every way in which a source cannot serve, by the command line: one sentence that says what, where and what to do.

What belongs here: the table of sources and conditions. What does not: how a source reads a good answer, and that
another source steps in (`test_fall_through.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from earth_engine_world import make_keys
from minemap_assets.project.settings import SETTINGS_PATH
from roads import YEARS, Roads, without_secrets
from servers.earth_engine_accounts import Account as EngineAccount
from servers.planet_faults import Account
from servers.processes import free_port
from terminal import Terminal
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass
class Trial:
    """A project and a person, to whom things happen."""

    roads: Roads
    chain: Chain
    minemap: Terminal
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    def settle(self, old: str, new: str) -> None:
        """Replace a piece of the settings."""
        self.chain.change(old, new)

    def key_file(self, account: EngineAccount = EngineAccount.GOOD, *, stranger: bool = False) -> None:
        """Put the key file of an account in place."""
        keys = make_keys() if stranger else self.roads.keys
        path = self.roads.earth_engine.write_key(self.folder / "key.json", keys, account)
        self.minemap.setenv(GOOGLE_APPLICATION_CREDENTIALS=str(path))


Happens = Callable[[Trial], object]


def nothing(_: Trial) -> None:
    pass


def planet_key(key: str) -> Happens:
    return lambda t: t.minemap.setenv(PL_API_KEY=key)


def service_account(trial: Trial) -> None:
    trial.minemap.setenv(PL_API_KEY="", PL_AUTH_CLIENT_ID="nobody", PL_AUTH_CLIENT_SECRET="wrong")


def unset(variable: str) -> Happens:
    return lambda t: t.monkeypatch.delenv(variable)


def engine(account: EngineAccount) -> Happens:
    return lambda t: t.key_file(account)


def no_network(trial: Trial) -> None:
    """Nobody listens where the services are."""
    text = trial.chain.project.lake.store.read_bytes(SETTINGS_PATH).decode()
    for url in (trial.roads.planet.base_url.removesuffix("/basemaps/v1"), trial.roads.earth_engine.url):
        text = text.replace(url, f"http://127.0.0.1:{free_port()}")
    text = text.replace(trial.roads.stac.server.url, f"http://127.0.0.1:{free_port()}")
    trial.chain.project.lake.store.write_bytes(SETTINGS_PATH, text.encode())


def indexed(trial: Trial) -> None:
    assert trial.minemap("archive", "index", str(trial.roads.archive)).code == 0


def moved_away(trial: Trial) -> None:
    folder = trial.folder / "images"
    folder.mkdir()
    for path in trial.roads.archive.glob("*.tif"):
        (folder / path.name).write_bytes(path.read_bytes())
    assert trial.minemap("archive", "index", str(folder)).code == 0
    folder.rename(trial.folder / "elsewhere")


@dataclass(frozen=True)
class Case:
    """A condition: what happens, and pieces of the sentence in the run and in `minemap sources`, in order.

    `told` is None where the source works and only this place, year or account's allowance is the matter.
    """

    name: str
    product: str
    source: str
    happens: Happens
    said: tuple[str, ...]
    told: tuple[str, ...] | None = None
    later: int = 0
    """Years after the one that the services have images of."""


def everywhere(name: str, product: str, source: str, happens: Happens, *said: str) -> Case:
    """A condition that `minemap sources` tells in the same words as a run."""
    return Case(name, product, source, happens, said, said)


NICFI, L2A, L1C = "planet-nicfi", "sentinel-2-l2a", "sentinel-2-l1c"
PLANET, ENGINE, STAC, ARCHIVE = "planet-basemaps", "earth-engine", "stac", "archive"
COPY = "copy the API key from your Planet account settings"
RENEW = "run `earthengine authenticate`, or set GOOGLE_APPLICATION_CREDENTIALS"
AGAIN = "check the network and run again later"

CASES = [
    everywhere("missing", NICFI, PLANET, unset("PL_API_KEY"), "PL_API_KEY is not set", COPY),
    everywhere("account", NICFI, PLANET, service_account, "refuses the service account", "PL_AUTH_CLIENT_SECRET"),
    everywhere("wrong", NICFI, PLANET, planet_key("PLAKnobody0123456789"), "HTTP 401", COPY),
    everywhere("expired", NICFI, PLANET, planet_key(Account.EXPIRED), "has expired", COPY),
    Case("quota", NICFI, PLANET, planet_key(Account.SPENT), ("download quota", "wait until it is renewed")),
    everywhere("no access", NICFI, PLANET, planet_key(Account.EMPTY), "sees no mosaic", "takes no new users"),
    Case("plan", NICFI, PLANET, planet_key(Account.FORBIDDEN), ("plan of the Planet account", "name a series")),
    Case("no year", NICFI, PLANET, nothing, ("no planet-nicfi imagery for 2018", "name another"), later=-1),
    Case(
        "no network",
        NICFI,
        PLANET,
        no_network,
        ("Planet basemaps", "cannot be reached", AGAIN),
        ("cannot be reached", AGAIN),
    ),
    everywhere(
        "missing", L2A, ENGINE, unset("GOOGLE_APPLICATION_CREDENTIALS"), "no credentials for Earth Engine", RENEW
    ),
    everywhere("wrong", L2A, ENGINE, lambda t: t.key_file(stranger=True), "they are wrong", RENEW),
    everywhere("expired", L2A, ENGINE, lambda t: t.roads.earth_engine.set(revoke=True), "have expired", RENEW),
    everywhere("quota", L2A, ENGINE, engine(EngineAccount.SPENT), "allowance is used up", "wait until"),
    everywhere("unregistered", L2A, ENGINE, engine(EngineAccount.UNREGISTERED), "is not registered", "register it at"),
    everywhere(
        "no access",
        NICFI,
        ENGINE,
        engine(EngineAccount.NO_NICFI),
        "not show this account",
        "is no longer given; name an archive",
    ),
    Case("no year", L2A, ENGINE, nothing, ("no sentinel-2-l2a imagery for 2022", "name another"), later=1),
    everywhere("no network", L2A, ENGINE, no_network, "cannot be reached", AGAIN),
    Case("no year", L2A, STAC, nothing, ("no sentinel-2-l2a imagery for 2022", "name another"), later=1),
    everywhere("no network", L2A, STAC, no_network, "cannot be reached", AGAIN),
    Case(
        "no collection",
        L1C,
        STAC,
        nothing,
        ("no collection under [sources.stac] holds sentinel-2-l1c", "name one"),
        ("no collection of sentinel-2-l1c", "name another source"),
    ),
    Case(
        "nothing indexed",
        L2A,
        ARCHIVE,
        nothing,
        ("no sentinel-2-l2a image", "minemap archive index"),
        ("no archive yet", "minemap archive index"),
    ),
    Case("no year", L2A, ARCHIVE, indexed, ("no sentinel-2-l2a imagery for 2022", "name another"), later=1),
    Case("folder gone", L2A, ARCHIVE, moved_away, ("does not exist", "put the file back"), ("is gone; mount it",)),
]


def in_order(pieces: tuple[str, ...], text: str) -> bool:
    place = 0
    for piece in pieces:
        place = text.find(piece, place)
        if place < 0:
            return False
    return True


@pytest.mark.parametrize("case", CASES, ids=[f"{c.source} {c.name}" for c in CASES])
def test_one_sentence_with_the_next_step(
    case: Case,
    roads: Roads,
    sites: Chain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    roads.calm()
    without_secrets(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    named = {product: (case.source,) if product == case.product else ("archive",) for product in (NICFI, L2A, L1C)}
    chain = roads.project(tmp_path / "project", sites, **{p.replace("-", "_"): names for p, names in named.items()})
    minemap = Terminal(tmp_path, monkeypatch, capsys)
    trial = Trial(roads, chain, minemap, monkeypatch, tmp_path)
    environment = chain.environment
    minemap.setenv(MINEMAP_HOME=environment.home, MINEMAP_STATE=str(environment.state))
    minemap.setenv(**roads.credentials(tmp_path / "credentials"))
    if case.product == L1C:
        trial.settle('"sentinel-2-l2a", from', '"sentinel-2-l1c", from')
    year = YEARS.get(case.product, 2021) + case.later
    case.happens(trial)

    answer = minemap("run", "--select", "imagery/imagery", "--years", str(year))
    assert answer.code == 1
    assert in_order((f"imagery[place|{year}]", *case.said), answer.sentence), answer.sentence
    assert len(answer.err.splitlines()) == 1, "one sentence, and nothing beside it"
    line = minemap("sources", case.source).out.strip()
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{case.source} {'works' if case.told is None else 'does not work'}, serves "), line
    assert in_order(case.told or (), line), line
