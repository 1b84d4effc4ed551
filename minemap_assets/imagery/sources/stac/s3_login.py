"""Files at `s3://` addresses: where they are served over the web, openly or signed with the keys of an account.

Keys of the Copernicus Data Space have names of their own. Those of a lake in an object store (`AWS_ACCESS_KEY_ID` and
its session token) are never used here, so that they are sent to no other service.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

from minemap_assets.errors import AuthenticationError
from minemap_assets.net.policy import Clock

ACCESS_VARIABLE = "CDSE_S3_ACCESS_KEY"
SECRET_VARIABLE = "CDSE_S3_SECRET_KEY"
KEYS_PAGE = "https://eodata-s3keysmanager.dataspace.copernicus.eu"

REGION = "default"
"""What the Copernicus Data Space calls its only region (its documentation, Access to EO data via S3)."""

VALID_SECONDS = 3600
"""How long a signed address holds. It is used at once, and signed anew where it is refused."""


@dataclass(frozen=True)
class StorageKeys:
    """The keys of an account at an S3 service."""

    access: str = field(repr=False)
    secret: str = field(repr=False)


def copernicus_keys() -> StorageKeys:
    """The keys for the Copernicus Data Space in the environment. Raises `AuthenticationError` where they are not."""
    access, secret = (os.environ.get(name, "").strip() for name in (ACCESS_VARIABLE, SECRET_VARIABLE))
    missing = [name for name, value in ((ACCESS_VARIABLE, access), (SECRET_VARIABLE, secret)) if not value]
    if missing:
        raise AuthenticationError(
            f"the Copernicus Data Space wants keys, and {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} "
            f"not set; make a pair at {KEYS_PAGE}, or take copernicus out of use under [sources.stac]"
        )
    return StorageKeys(access, secret)


def web_address(href: str, storage: str) -> str:
    """Where an `s3://` address is served: below `storage`, or at it with the bucket in place of `{bucket}`.

    Other addresses stay as they are.
    """
    parts = urlsplit(href)
    if parts.scheme != "s3":
        return href
    key = quote(parts.path.lstrip("/"), safe="/~")
    if "{bucket}" in storage:
        return f"{storage.replace('{bucket}', parts.netloc).rstrip('/')}/{key}"
    return f"{storage.rstrip('/')}/{parts.netloc}/{key}"


@dataclass(frozen=True)
class SignedStorage:
    """Storage whose readers sign the addresses of files with their keys (AWS Signature Version 4, query parameters)."""

    storage: str
    keys: StorageKeys
    region: str = REGION
    clock: Clock = field(default_factory=Clock)

    def __call__(self, href: str, _: str | None) -> str:
        """The signed web address of a file at an `s3://` address; others stay as they are."""
        if urlsplit(href).scheme != "s3":
            return href
        return presigned(web_address(href, self.storage), self.keys, self.region, self.clock.now())


def presigned(address: str, keys: StorageKeys, region: str, now: datetime, seconds: int = VALID_SECONDS) -> str:
    """A web address without a query that may be read with GET for so long from `now` (UTC) on.

    Made as the service's documentation says (Amazon S3, Authenticating Requests: Using Query Parameters).
    """
    parts = urlsplit(address)
    day, moment = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{day}/{region}/s3/aws4_request"
    said = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys.access}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(said.items()))
    request = f"GET\n{parts.path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{address}?{query}&X-Amz-Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
