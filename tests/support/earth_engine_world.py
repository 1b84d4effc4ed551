"""Catalogues of the Earth Engine stand-in made from local files, its accounts, and the running server."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from servers.earth_engine_accounts import Account

SUPPORT = Path(__file__).parent
PROJECT = "minemap-test"


@dataclass(frozen=True)
class Band:
    """A band of an image: its files below the server's root, and its number in them."""

    files: tuple[str, ...]
    number: int = 1


@dataclass(frozen=True)
class Asset:
    """An image of a collection."""

    index: str
    start: date
    footprint: BaseGeometry
    bands: Mapping[str, Band]
    end: date | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """What the catalogue says of it."""
        return {
            "index": self.index,
            "start": _ms(self.start),
            **({"end": _ms(self.end)} if self.end else {}),
            "footprint": self.footprint.wkt,
            "properties": dict(self.properties),
            "bands": {name: {"files": list(band.files), "number": band.number} for name, band in self.bands.items()},
        }


@dataclass(frozen=True)
class Keys:
    """A signing key made for a test: PEM texts."""

    private: str
    public: str


def make_keys() -> Keys:
    """A new pair of keys."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Keys(private.decode(), public.decode())


def write_catalogue(root: Path, keys: Keys, collections: Mapping[str, Sequence[Asset]]) -> None:
    """Write what the server serves; collections of NICFI are restricted."""
    found = {
        asset: {"restricted": "nicfi" in asset, "images": [image.record for image in images]}
        for asset, images in collections.items()
    }
    (root / "catalogue.json").write_text(json.dumps({"public_key": keys.public, "collections": found}))


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    url: str

    def set(self, **orders: Any) -> None:
        """Tell it how to behave; its log begins anew."""
        data = json.dumps(orders).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/-/set", data=data, method="POST")).close()

    def calm(self) -> None:
        """Have it behave well again."""
        self.set(share=0.0, revoke=False, most_pixels=1 << 40, only="/", delay=0.0, slowed=False)

    def log(self, ending: str = "") -> list[dict[str, str]]:
        """What it has been asked since, at paths that end so."""
        with urllib.request.urlopen(f"{self.url}/-/log") as answer:
            entries: list[dict[str, str]] = json.load(answer)
        return [entry for entry in entries if entry["path"].endswith(ending)]

    def config(self, **changes: Any) -> EarthEngineConfig:
        """Settings that lead to this server."""
        brisk = {"deadline": 20.0, "rate": 100.0, "backoff": 0.02, "concurrency": 4}
        return EarthEngineConfig(**{"url": self.url, "token_url": f"{self.url}/token", **brisk, **changes})

    def write_key(self, path: Path, keys: Keys, account: Account = Account.GOOD) -> Path:
        """The key file of a service account."""
        key = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "0123456789abcdef",
            "private_key": keys.private,
            "client_email": f"{account.value}@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(key))
        return path


def without_credentials(environment: pytest.MonkeyPatch, home: Path) -> None:
    """Have no tool of Google's find credentials, of a person or of a machine."""
    environment.setenv("HOME", str(home))
    environment.setenv("CLOUDSDK_CONFIG", str(home / "gcloud"))
    environment.setenv("NO_GCE_CHECK", "true")
    environment.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    environment.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


@contextmanager
def served(root: Path) -> Iterator[Running]:
    """The stand-in as a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(SUPPORT)}
    command = [sys.executable, "-m", "servers.earth_engine", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield Running(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
