"""Licences: those that are known by name, and what the words of any licence or terms of use ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Traits:
    """What a licence asks for. `family` is the licence that adaptations have to be under; empty where any may do."""

    known: bool = True
    family: str = ""
    non_commercial: bool = False
    no_derivatives: bool = False


@dataclass(frozen=True)
class Licence:
    """A licence to publish under: its SPDX identifier, its name, and where it stands in full."""

    spdx: str
    title: str
    address: str


LICENCES: Mapping[str, Licence] = MappingProxyType(
    {
        one.spdx: one
        for one in (
            Licence("ODbL-1.0", "Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
            Licence("DbCL-1.0", "Database Contents License 1.0", "https://opendatacommons.org/licenses/dbcl/1-0/"),
            Licence("ODC-By-1.0", "Open Data Commons Attribution 1.0", "https://opendatacommons.org/licenses/by/1-0/"),
            Licence("PDDL-1.0", "Public Domain Dedication 1.0", "https://opendatacommons.org/licenses/pddl/1-0/"),
            Licence("CC0-1.0", "Creative Commons Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
            *(
                Licence(
                    f"CC-{code.upper()}-4.0",
                    f"Creative Commons {words} 4.0 International",
                    f"https://creativecommons.org/licenses/{code}/4.0/",
                )
                for code, words in (
                    ("by", "Attribution"),
                    ("by-sa", "Attribution-ShareAlike"),
                    ("by-nc", "Attribution-NonCommercial"),
                    ("by-nc-sa", "Attribution-NonCommercial-ShareAlike"),
                )
            ),
        )
    }
)
"""Licences that are known by name; a project may name another one with its address."""


_UNKNOWN = re.compile(r"^\s*(|unknown|not known|terms unknown|none|\?|nothing is recorded.*)\s*$", re.IGNORECASE)
_NON_COMMERCIAL = re.compile(r"non[- ]?commercial|\bCC[- ]BY[- ]NC|\bNC\b", re.IGNORECASE)
_NO_DERIVATIVES = re.compile(r"no[- ]?deriv|\bND\b", re.IGNORECASE)
_FAMILIES = (
    (re.compile(r"\bCC[- ]BY[- ]NC[- ]SA|non-?commercial-?share-?alike", re.IGNORECASE), "CC BY-NC-SA"),
    (re.compile(r"\bCC[- ]BY[- ]SA|attribution-?share-?alike", re.IGNORECASE), "CC BY-SA"),
    (re.compile(r"\bODbL|open database licen[cs]e", re.IGNORECASE), "ODbL"),
    (re.compile(r"\bA?GPL", re.IGNORECASE), "GPL"),
)


def traits_of(text: str) -> Traits:
    """What the words of a licence or of terms of use ask for."""
    if _UNKNOWN.match(text):
        return Traits(known=False)
    family = next((name for pattern, name in _FAMILIES if pattern.search(text)), "")
    return Traits(True, family, bool(_NON_COMMERCIAL.search(text)), bool(_NO_DERIVATIVES.search(text)))


def licence_named(name: str, address: str = "") -> Licence:
    """The licence of that SPDX identifier, or one of the user's own with its address (perhaps empty)."""
    return LICENCES.get(name) or Licence(name, name, address)
