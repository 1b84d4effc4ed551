"""Storage that speaks S3: a bucket whose readers sign, and open buckets that tell nobody what they lack.

Run as a process of its own: `python bucket_service.py ROOT PORT ACCESS SECRET`. It is an `unreliable.py` with more:

- GET /eodata/<key>: a file below ROOT/eodata, where the query holds a signature with these keys (AWS Signature Version
  4) that has not expired; botocore works out what it has to be. A missing file is 404.
- GET /open-<name>/<key>: a file below ROOT/open-<name> for everybody. A missing file is 403, as where listing is not
  allowed.
"""

import importlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.unreliable import Answer, Handler, Mind, Server

DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
MISMATCH = DENIED.replace(b"AccessDenied", b"SignatureDoesNotMatch")


class Bucket(Handler):
    """One connection."""

    access: str
    secret: str

    def _answer(self, path: str, query: str, body: bytes) -> Answer:
        if path.startswith("/eodata/"):
            return self._file(path.removeprefix("/")) if self._is_signed(path, query) else Answer(403, {}, MISMATCH)
        if path.startswith("/open-"):
            answer = self._file(path.removeprefix("/"))
            return Answer(403, {}, DENIED) if answer.status == 404 else answer
        return super()._answer(path, query, body)

    def _is_signed(self, path: str, query: str) -> bool:
        auth, requests, credentials = (  # what comes with moto has no types
            importlib.import_module(f"botocore.{name}") for name in ("auth", "awsrequest", "credentials")
        )
        said = dict(parse_qsl(query))
        stated = said.pop("X-Amz-Signature", "")
        try:
            access, day, region, service, _ = said["X-Amz-Credential"].split("/")
            begin = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            end = begin + timedelta(seconds=int(said["X-Amz-Expires"]))
        except (KeyError, ValueError):
            return False
        address = f"http://{self.headers['Host']}{path}?{urlencode(said)}"
        request = requests.AWSRequest(method="GET", url=address, headers={"host": self.headers["Host"]})
        request.context["timestamp"] = said["X-Amz-Date"]
        signer = auth.S3SigV4QueryAuth(credentials.Credentials(self.access, self.secret), service, region)
        canonical = signer.canonical_request(request)
        meant = signer.signature(signer.string_to_sign(request, canonical), request)
        now = datetime.now(UTC)
        in_time = begin - timedelta(minutes=15) <= now < end and day == said["X-Amz-Date"][:8]
        return bool(access == self.access and in_time and stated == meant)


def main() -> None:
    """Serve until killed."""
    Bucket.mind = Mind(Path(sys.argv[1]))
    Bucket.access, Bucket.secret = sys.argv[3:5]
    Server(("127.0.0.1", int(sys.argv[2])), Bucket).serve_forever()


if __name__ == "__main__":
    main()
