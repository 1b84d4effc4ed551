"""The certificates of services are read once, and again where others are named."""

import ssl
from pathlib import Path

import pytest

from minemap_assets.net.certificates import trusted


def test_they_are_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    first = trusted()
    assert first.get_ca_certs()
    assert trusted() is first
    own = tmp_path / "own.pem"
    own.write_text(ssl.DER_cert_to_PEM_cert(first.get_ca_certs(binary_form=True)[0]))
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert len(trusted().get_ca_certs()) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    assert trusted() is first
