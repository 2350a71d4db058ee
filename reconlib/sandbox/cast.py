"""Who the made-up MSP serves: the first clients are a fixed cast, each there for a reason; the rest are drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

MSP_NAME = "Harbor MSP"
OWN_ID, OWN_CODE = 900, "HARBOR"  # the MSP as a company of its own PSA (T55)
FIRST_CLIENT = 1001


@dataclass(frozen=True, slots=True)
class Member:
    """One client of the MSP."""

    index: int
    client_id: int
    code: str
    name: str
    role: str  # why it is in the cast; "" for the crowd


# name, PSA identifier, role. Rules and overrides name these codes, so they hold for every seed.
_CAST = (
    ("Acme Corp", "ACME", ""),  # look-alikes of each other: never paired by a near name (T24)
    ("Acme Capital", "ACMECAP", "not_resold"),  # buys its mailboxes elsewhere (T57)
    ("Lakeside Logistics", "LAKESIDE", "exempt"),  # two kiosk workstations excluded by contract (T34)
    ("<script>alert(1)</script> Dental", "SCRIPTDN", "voip"),
    ('=HYPERLINK("http://evil.example","Click") Ltd', "HYPERLNK", "ignored"),  # its backup seats are settled by hand (T35)
    ("Maple Ridge Outfitters", "MAPLERDG", "cad"),  # billed in Canadian dollars
    ("Bluewater Legal", "BLUEWTR", "twin"),  # a deleted company has the same name (T14); contract minimum (T36)
    ("Pinecrest Clinics", "PINECRST", "bundle"),
    ("Müller & Söhne Kältetechnik GmbH", "MUELLER", "quarterly"),
    ("🦊 Foxglove Café", "FOXGLOVE", "annual"),
    ("مكتبة النور", "ALNOOR", ""),
    ("Northwind Dental", "NWDENTAL", "child"),
    ("Northwind Dental Lab", "NWLAB", "two_orgs"),  # two organisations at the RMM vendor
    ("Harper Ferry Hardware", "HARPERFH", "lost_ninja"),  # its RMM organisation is mapped to nobody
    ("Quayside Marine Supply", "QUAYSIDE", "lost_m365"),  # its tenant is mapped to nobody
    ("Redwood Youth Theatre", "REDWOODY", "no_huntress"),  # pays for training, has no account there
    ("Cedar & Stone Architects", "CEDARSTN", "bundle_mixed"),  # bundle plus standalone lines (T67)
    ("Orchard Lane Vets", "ORCHARDV", "bundle_gap"),  # bundle sold, part of it not deployed (T66)
    ("Ironbridge Foundry", "IRONBRDG", "bundle_short"),  # more workstations than bundles
    ("Saltmarsh Brewing", "SALTMRSH", "no_pax8"),  # pays for backup, has no account at the distributor
    ("Granite Peak Surveying", "GRANITEP", "voip"),
    ("O'Malley & Daughters Plumbing", "OMALLEYD", "child"),
    ("Sunfield Credit Union", "SUNFIELD", "voip"),
    ("Larkspur Pediatrics", "LARKSPUR", "bundle_gap"),
)
_FIRST = (
    "Amber", "Birch", "Cobalt", "Dover", "Elm Street", "Falcon", "Garnet", "Hollow Oak", "Indigo", "Juniper", "Kestrel", "Linden",
    "Meridian", "Nutmeg", "Osprey", "Prairie", "Quarry", "Riverbend", "Silver Birch", "Tidewater", "Umber", "Valley", "Willow", "Yarrow",
)  # fmt: skip
_SECOND = (
    "Accounting", "Bakery", "Chiropractic", "Dental Group", "Engineering", "Freight", "Gardens", "Hotels", "Insurance", "Joinery", "Law",
    "Manufacturing", "Nursery", "Optometry", "Printing", "Realty", "Schools Trust", "Tooling", "Veterinary", "Wealth Partners",
)  # fmt: skip


def members(seed: int, clients: int) -> list[Member]:
    """The clients of one world; the same index is the same client for any number of clients."""
    names = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    Random(f"{seed}/names").shuffle(names)  # noqa: S311 - made-up data, not a secret
    found = []
    for i in range(clients):
        if i < len(_CAST):
            name, code, role = _CAST[i]
        else:
            name, role = names[(i - len(_CAST)) % len(names)], ""
            code = f"{''.join(c for c in name.upper() if c.isalpha())[:8]}{i:02d}"
        found.append(Member(i, FIRST_CLIENT + i, code, name, role))
    return found
