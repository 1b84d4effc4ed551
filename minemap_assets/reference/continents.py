"""The continent of every code.

The seven continents of Natural Earth's column CONTINENT, as of its countries at 1:50 million (release 5). What it calls
open ocean, or has no country for, is placed by the United Nations' standard M49; Mexico and what lies between it and
Colombia, with the islands of the Caribbean, are North America in both.
"""

from collections.abc import Mapping
from types import MappingProxyType

_CODES = {
    "Africa": """
        AGO ATF BDI BEN BFA BWA CAF CIV CMR COD COG COM CPV DJI DZA EGY ERI ESH ETH GAB GHA GIN GMB GNB GNQ IOT KEN LBR
        LBY LSO MAR MDG MLI MOZ MRT MUS MWI MYT NAM NER NGA REU RWA SDN SEN SHN SLE SOM SSD STP SWZ SYC TCD TGO TUN TZA
        UGA XSL ZAF ZMB ZWE
    """,
    "Antarctica": "ATA",
    "Asia": """
        AFG ARE ARM AZE BGD BHR BRN BTN CHN CYP GEO HKG IDN IND IRN IRQ ISR JOR JPN KAZ KGZ KHM KOR KWT LAO LBN LKA MAC
        MDV MMR MNG MYS NPL OMN PAK PHL PRK PSE QAT SAU SGP SYR THA TJK TKM TLS TUR TWN UZB VNM XAD XNC XSG XSP XSR YEM
    """,
    "Europe": """
        ALA ALB AND AUT BEL BGR BIH BLR CHE CZE DEU DNK ESP EST FIN FRA FRO GBR GGY GIB GRC HRV HUN IMN IRL ISL ITA JEY
        LIE LTU LUX LVA MCO MDA MKD MLT MNE NLD NOR POL PRT ROU RUS SJM SMR SRB SVK SVN SWE UKR VAT XKX
    """,
    "North America": """
        ABW AIA ATG BES BHS BLM BLZ BMU BRB CAN CRI CUB CUW CYM DMA DOM GLP GRD GRL GTM HND HTI JAM KNA LCA MAF MEX MSR
        MTQ NIC PAN PRI SLV SPM SXM TCA TTO USA VCT VGB VIR XBN XCL XSE
    """,
    "Oceania": """
        ASM AUS CCK COK CXR FJI FSM GUM HMD KIR MHL MNP NCL NFK NIU NRU NZL PCN PLW PNG PYF SLB TKL TON TUV UMI VUT WLF
        WSM
    """,
    "South America": "ARG BOL BRA BVT CHL COL ECU FLK GUF GUY PER PRY SGS SUR URY VEN XBI XPF",
}

CONTINENT_OF: Mapping[str, str] = MappingProxyType(
    {code: continent for continent, codes in _CODES.items() for code in codes.split()}
)
"""Continent by code: all of ISO 3166-1, and those that `country_codes.CODE_RULES` gives."""
