"""The codes of countries: ISO 3166-1 alpha-3, and those that the standard leaves to its users."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ASSIGNED = frozenset(
    """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR
    BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP
    CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB
    GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN
    KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD
    MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN
    PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM
    SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR
    UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """.split()  # noqa: SIM905 - 249 strings, one a line, are not read by anybody
)
"""Of the countries and territories of the standard."""


@dataclass(frozen=True)
class CodeRule:
    """A code that files use and the standard has not, and the code that the tables give its ground.

    `ours` is of the standard, or in the range that it leaves to its users, or empty for ground of no country.
    """

    theirs: tuple[str, ...]
    name: str
    ours: str
    reason: str


_UNITED = "no country of its own to the United Nations and the standard, which count it to"
_CLAIMED = "claimed by"

CODE_RULES = (
    CodeRule(("SDS",), "South Sudan", "SSD", "Natural Earth's own spelling"),
    CodeRule(("SAH",), "Western Sahara", "ESH", "Natural Earth's own spelling"),
    CodeRule(("PSX", "WBG"), "Palestine", "PSE", "Natural Earth's and the World Bank's own spellings"),
    CodeRule(("ALD",), "Åland", "ALA", "Natural Earth's own spelling"),
    CodeRule(("ROM",), "Romania", "ROU", "its code until 2002"),
    CodeRule(("ZAR",), "Democratic Republic of the Congo", "COD", "its code until 1997, as Zaire"),
    CodeRule(("TMP",), "Timor-Leste", "TLS", "its code until 2002"),
    CodeRule(("ADO",), "Andorra", "AND", "the World Bank's older spelling"),
    CodeRule(("IMY",), "Isle of Man", "IMN", "the World Bank's older spelling"),
    CodeRule(
        ("KOS", "KSV", "XKO", "XKK"),
        "Kosovo",
        "XKX",
        "not in the standard; XKX is what the European Union and the World Bank write",
    ),
    CodeRule(("SOL",), "Somaliland", "XSL", f"{_UNITED} Somalia"),
    CodeRule(("CYN",), "Northern Cyprus", "XNC", f"{_UNITED} Cyprus; XNC is what GADM writes"),
    CodeRule(("CNM",), "Cyprus, buffer zone", "CYP", "patrolled by the United Nations, ground of Cyprus"),
    CodeRule(("WSB", "ESB"), "Akrotiri and Dhekelia", "XAD", "British bases outside the standard; GADM writes XAD"),
    CodeRule(("KAS",), "Siachen Glacier", "XSG", f"{_CLAIMED} India and Pakistan"),
    CodeRule(("SPI",), "Southern Patagonian Ice Field", "XPF", f"{_CLAIMED} Argentina and Chile, never surveyed"),
    CodeRule(("BRI",), "Brazilian Island", "XBI", f"{_CLAIMED} Brazil and Uruguay"),
    CodeRule(("PGA",), "Spratly Islands", "XSP", f"{_CLAIMED} six states; XSP is what GADM writes"),
    CodeRule(("SCR",), "Scarborough Reef", "XSR", f"{_CLAIMED} China, the Philippines and Taiwan"),
    CodeRule(("BJN",), "Bajo Nuevo Bank", "XBN", f"{_CLAIMED} Colombia, Jamaica, Nicaragua and the United States"),
    CodeRule(("SER",), "Serranilla Bank", "XSE", f"{_CLAIMED} Colombia, Honduras, Nicaragua and the United States"),
    CodeRule(("CLP", "CPT"), "Clipperton Island", "XCL", "France's, but reserved only, as CPT; GADM writes XCL"),
    CodeRule(("ATC",), "Ashmore and Cartier Islands", "AUS", "the standard counts them to Australia"),
    CodeRule(("CSI",), "Coral Sea Islands", "AUS", "the standard counts them to Australia"),
    CodeRule(("IOA",), "Indian Ocean Territories", "AUS", "Christmas and Cocos Islands, told apart by place"),
    CodeRule(("USG",), "Guantanamo Bay", "CUB", "leased to the United States, ground of Cuba"),
    CodeRule(("KAB",), "Baikonur", "KAZ", "leased to Russia, ground of Kazakhstan"),
    CodeRule(("BRT",), "Bir Tawil", "", "neither Egypt nor Sudan claims it"),
)
"""Natural Earth's codes are those of its releases 4 and 5; the World Bank's and GADM's those of their files."""

_RULE_OF: Mapping[str, CodeRule] = MappingProxyType({code: rule for rule in CODE_RULES for code in rule.theirs})


def rule_of(code: str) -> CodeRule | None:
    """The rule for a code that is not of the standard; None where there is none."""
    return _RULE_OF.get(code)


_WRITTEN = re.compile(r"[A-Z]{3}")
_USERS = re.compile(r"AA[A-Z]|Q[M-Z][A-Z]|X[A-Z]{2}|ZZ[A-Z]")
"""For everybody to use as they like; XKX, for Kosovo, is one that many agree on."""


def is_written_as_code(text: str) -> bool:
    """Whether a text is three capital letters."""
    return _WRITTEN.fullmatch(text) is not None


def is_known_code(code: str) -> bool:
    """Whether a code is one of the standard, or free for its users."""
    return code in ASSIGNED or _USERS.fullmatch(code) is not None
