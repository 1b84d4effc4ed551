"""Kinds of accounts of the Earth Engine stand-in, by the names that the server and the tests share."""

from enum import StrEnum

ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH_TOKEN = "1//refresh-token-of-a-user"
"""The one user's; it gives the account `GOOD`."""


class Account(StrEnum):
    """Service accounts by the part of their address before the @."""

    GOOD = "good"
    SPENT = "spent"
    NO_NICFI = "no-nicfi"
    UNREGISTERED = "unregistered"
    UNVERIFIED = "unverified"
