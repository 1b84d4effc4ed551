"""Territories: whose they are, and where they lie in files that hold them in their state.

A territory with a code of the standard is a country of its own in the tables, beside the state whose it is. Natural
Earth's countries hold some of them in the state's outline (French Guiana in France): parts of it that lie in a
territory's boxes become the territory. Only what the sea parts from its state can be told so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import shapely

DISPUTED = "disputed"
"""The sovereign's name where several states claim the ground."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Territory:
    """A territory that some files hold in its state: `boxes` (west, south, east, north in degrees) hold its ground, and
    none of the state's own.
    """

    code: str
    name: str
    sovereign: str
    boxes: tuple[Box, ...]


SOVEREIGNS: Mapping[str, str] = MappingProxyType(
    {
        "AUS": "Australia",
        "CHN": "China",
        "CYP": "Cyprus",
        "DNK": "Denmark",
        "FIN": "Finland",
        "FRA": "France",
        "GBR": "United Kingdom",
        "NLD": "Netherlands",
        "NOR": "Norway",
        "NZL": "New Zealand",
        "SOM": "Somalia",
        "USA": "United States",
    }
)
"""States with territories, and what they are called where a file holds the territory without them."""

_DEPENDENT = {
    "AUS": "CCK CXR HMD NFK",
    "CHN": "HKG MAC",
    "CYP": "XNC",
    "DNK": "FRO GRL",
    "FIN": "ALA",
    "FRA": "ATF BLM GLP GUF MAF MTQ MYT NCL PYF REU SPM WLF XCL",
    "GBR": "AIA BMU CYM FLK GGY GIB IMN IOT JEY MSR PCN SGS SHN TCA VGB XAD",
    "NLD": "ABW BES CUW SXM",
    "NOR": "BVT SJM",
    "NZL": "COK NIU TKL",
    "SOM": "XSL",
    "USA": "ASM GUM MNP PRI UMI VIR",
}

SOVEREIGN_OF: Mapping[str, str] = MappingProxyType(
    {code: state for state, codes in _DEPENDENT.items() for code in codes.split()}
)
"""The state of each territory; a code that is not here is its own. As in Natural Earth's columns SOV_A3 and SOVEREIGNT
(release 5), but for Palestine, an observer state of the United Nations, and for Somaliland and Northern Cyprus, which
the standard counts to Somalia and Cyprus.
"""

DISPUTED_CODES = frozenset({"XBI", "XBN", "XPF", "XSE", "XSG", "XSP", "XSR"})

TERRITORIES = (
    Territory("GUF", "French Guiana", "FRA", ((-55.0, 2.0, -51.0, 6.5),)),
    Territory("GLP", "Guadeloupe", "FRA", ((-62.0, 15.7, -60.8, 16.7),)),
    Territory("MTQ", "Martinique", "FRA", ((-61.4, 14.3, -60.7, 15.0),)),
    Territory("REU", "Réunion", "FRA", ((55.0, -21.6, 56.0, -20.7),)),
    Territory("MYT", "Mayotte", "FRA", ((44.8, -13.2, 45.5, -12.4),)),
    Territory("BLM", "Saint-Barthélemy", "FRA", ((-62.96, 17.8, -62.7, 18.0),)),
    Territory("MAF", "Saint-Martin", "FRA", ((-63.2, 18.02, -62.94, 18.2),)),
    Territory("SPM", "Saint Pierre and Miquelon", "FRA", ((-56.6, 46.6, -56.0, 47.3),)),
    Territory("NCL", "New Caledonia", "FRA", ((158.0, -23.3, 173.0, -18.0),)),
    Territory("WLF", "Wallis and Futuna", "FRA", ((-178.5, -14.7, -176.0, -13.0),)),
    Territory("PYF", "French Polynesia", "FRA", ((-155.0, -28.5, -134.0, -7.5),)),
    Territory("XCL", "Clipperton Island", "FRA", ((-109.5, 10.0, -109.0, 10.6),)),
    Territory("SJM", "Svalbard and Jan Mayen", "NOR", ((9.0, 73.5, 36.0, 81.5), (-10.0, 70.5, -7.0, 71.5))),
    Territory("BVT", "Bouvet Island", "NOR", ((3.0, -54.8, 4.0, -54.0),)),
    Territory("BES", "Caribbean Netherlands", "NLD", ((-68.55, 11.9, -68.1, 12.5), (-63.5, 17.3, -62.8, 17.8))),
    Territory("ABW", "Aruba", "NLD", ((-70.3, 12.3, -69.7, 12.8),)),
    Territory("CUW", "Curaçao", "NLD", ((-69.4, 11.8, -68.65, 12.5),)),
    Territory("TKL", "Tokelau", "NZL", ((-173.0, -9.8, -171.0, -8.4),)),
    Territory("COK", "Cook Islands", "NZL", ((-166.5, -22.5, -157.0, -8.5),)),
    Territory("NIU", "Niue", "NZL", ((-170.3, -19.4, -169.6, -18.8),)),
    Territory("CXR", "Christmas Island", "AUS", ((105.4, -10.8, 105.9, -10.3),)),
    Territory("CCK", "Cocos (Keeling) Islands", "AUS", ((96.6, -12.4, 97.1, -11.7),)),
    Territory("NFK", "Norfolk Island", "AUS", ((167.7, -29.3, 168.2, -28.9),)),
    Territory("HMD", "Heard Island and McDonald Islands", "AUS", ((72.3, -53.5, 74.0, -52.8),)),
    Territory("PRI", "Puerto Rico", "USA", ((-68.1, 17.7, -65.17, 18.7),)),
    Territory("VIR", "United States Virgin Islands", "USA", ((-65.15, 17.5, -64.5, 18.5),)),
    Territory("GUM", "Guam", "USA", ((144.5, 13.1, 145.1, 13.8),)),
    Territory("MNP", "Northern Mariana Islands", "USA", ((144.7, 13.9, 146.3, 20.7),)),
    Territory("ASM", "American Samoa", "USA", ((-171.3, -14.7, -168.0, -10.9),)),
    Territory("GRL", "Greenland", "DNK", ((-74.0, 59.5, -10.0, 84.0),)),
    Territory("FRO", "Faroe Islands", "DNK", ((-7.9, 61.2, -6.1, 62.6),)),
    Territory("FLK", "Falkland Islands", "GBR", ((-62.0, -53.0, -57.0, -50.5),)),
    Territory("IMN", "Isle of Man", "GBR", ((-4.9, 53.95, -4.25, 54.5),)),
)


def sovereign_of(code: str) -> str:
    """The code of the state whose ground it is; the code itself where it is nobody's territory."""
    return SOVEREIGN_OF.get(code, code)


def split_territories(codes: npt.NDArray[np.object_], parts: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Codes of single polygons (EPSG:4326), those of a state replaced by a territory's where they lie in its boxes."""
    found = codes.copy()
    for territory in TERRITORIES:
        rows = np.flatnonzero(codes == territory.sovereign)
        if len(rows):
            west, south, east, north = shapely.bounds(parts[rows]).reshape(-1, 4).T
            for box in territory.boxes:
                within = (west >= box[0]) & (south >= box[1]) & (east <= box[2]) & (north <= box[3])
                found[rows[within]] = territory.code
    return found
