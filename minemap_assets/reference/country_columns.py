"""The columns of the table of countries, and what they hold."""

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS = ("iso3", "name", "continent", "sovereign_iso3", "sovereign_name", "geometry")

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "iso3": "Code of ISO 3166-1 (alpha-3), or one of those left to users for ground that has none, such as XKX.",
        "name": "The country's or territory's name in the registered file.",
        "continent": "One of seven continents, by the code; the file's own word for a code of the user's.",
        "sovereign_iso3": "Code of the state whose territory it is; its own for a state.",
        "sovereign_name": "Name of that state; `disputed` where several states claim the ground.",
    }
)
