"""Kinds of accounts and failures of the Planet stand-in, by the names that the server and the tests share."""

from enum import StrEnum


class Account(StrEnum):
    """API keys the server knows; any other is wrong."""

    GOOD = "PLAKgood0123456789"
    EXPIRED = "PLAKexpired0123456789"
    EMPTY = "PLAKempty0123456789"
    SPENT = "PLAKspent0123456789"
    NO_SCENES = "PLAKnoscenes0123456789"
    FORBIDDEN = "PLAKforbidden0123456789"


class Fault(StrEnum):
    """Ways in which a request may fail."""

    BUSY_LATER = "busy-later"
    BUSY = "busy"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    STALL = "stall"
    RESET = "reset"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    EXPIRED_SIGNATURE = "expired-signature"
    CORRUPT_BLOCK = "corrupt-block"


EVERYWHERE = (
    Fault.BUSY_LATER,
    Fault.BUSY,
    Fault.ERROR,
    Fault.UNAVAILABLE,
    Fault.STALL,
    Fault.RESET,
    Fault.TRUNCATED,
    Fault.WRONG_LENGTH,
)
DOWNLOADS = (*EVERYWHERE, Fault.EXPIRED_SIGNATURE, Fault.CORRUPT_BLOCK)
