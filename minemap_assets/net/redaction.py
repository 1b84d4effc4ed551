"""Addresses in logs: neither a query nor an account, which may hold keys and signatures.

httpx and urllib3 log every address that is asked for; httpcore logs the headers of every answer, and so where a
redirect leads. This project's own messages are kept free of queries by `Connection.where`.
"""

import logging
import re

_PARTS = ("connection", "http11", "http2", "proxy", "socks")
_LOGGERS = ("httpx", "urllib3.connectionpool", *(f"httpcore.{part}" for part in _PARTS))

_ACCOUNT = re.compile(r"(?<=//)[^/\s]*@")
_QUERY = re.compile(r"\?\S*")


class _Redaction(logging.Filter):
    """Lets every record through, without what may be secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _QUERY.sub("?...", _ACCOUNT.sub("", record.getMessage()))
        record.args = ()
        return True


_REDACTION = _Redaction()


def redact_logs() -> None:
    """Have the HTTP libraries of this process log addresses without their query and account. Doing it twice is fine."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTION)
