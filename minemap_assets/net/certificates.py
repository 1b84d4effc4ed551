"""The certificates that services are trusted by: reading them takes a tenth of a second, so that they are read once."""

import os
import ssl
from functools import cache

import httpx

_NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where a person may name other certificates (as OpenSSL and httpx read it)."""


def trusted() -> ssl.SSLContext:
    """The context of all connections of this process."""
    return _read(*(os.environ.get(name, "") for name in _NAMED))


@cache
def _read(_file: str, _folder: str) -> ssl.SSLContext:
    return httpx.create_ssl_context()
