"""What the made-up MSP sells and buys: the PSA catalogue and the vendors' products.

Prices and costs are invented; Microsoft's part numbers and licence GUIDs are the real words.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Measure = Literal["purchased", "used", "bundle", "flat", "none"]


@dataclass(frozen=True, slots=True)
class Service:
    """One product of the PSA catalogue; price and cost are a unit and month."""

    service_id: int
    code: str
    name: str
    price: Decimal
    cost: Decimal
    measure: Measure  # where the billable count comes from
    sources: tuple[str, ...]  # vendors that know a count: the first one is the billable one
    vendor_sku: str = ""
    sku_id: str = ""  # Microsoft licence GUID
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Pax8Product:
    """One product of the distributor's catalogue."""

    product_id: str
    service: str  # "" where the MSP has no service for it
    name: str
    vendor: str
    sku: str
    vendor_sku: str
    cost: Decimal


# Microsoft's licence GUIDs by part number, as every tenant shows them.
SKU_IDS = {
    "SPB": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46",
    "O365_BUSINESS_PREMIUM": "f245ecc8-75af-4f8e-b61f-27d8114de5f3",
    "SPE_E3": "05e9a617-0261-4cee-bb44-138d3ef5d965",
    "EXCHANGESTANDARD": "4b9405b0-7788-4568-add1-99614e613b69",
    "AAD_PREMIUM": "078d2b04-f1bd-4111-bbd4-b4b1b354cef4",
}


def _s(service_id: int, code: str, name: str, price: str, cost: str, measure: Measure, sources: str, sku: str = "") -> Service:
    return Service(service_id, code, name, Decimal(price), Decimal(cost), measure, tuple(sources.split()), sku, SKU_IDS.get(sku, ""))


# id, code, name, price, cost, counted by, sources, part number
SERVICES = (
    _s(301, "M365-BP", "Microsoft 365 Business Premium", "26.40", "18.70", "purchased", "pax8 m365", "SPB"),
    _s(302, "M365-BS", "Microsoft 365 Business Standard", "15.05", "10.63", "purchased", "pax8 m365", "O365_BUSINESS_PREMIUM"),
    _s(303, "M365-E3", "Microsoft 365 E3", "43.20", "31.82", "purchased", "pax8 m365", "SPE_E3"),
    _s(304, "EXO-P1", "Exchange Online mailbox", "4.85", "3.40", "purchased", "pax8 m365", "EXCHANGESTANDARD"),
    _s(305, "PROOFPT-A", "Email security, annual term", "4.25", "2.96", "purchased", "pax8", "PPE-PRO"),
    _s(306, "PROOFPT-M", "Email security, monthly term", "5.10", "3.55", "purchased", "pax8", "PPE-PRO"),
    _s(307, "DROPSUITE", "Cloud backup seat", "4.95", "2.47", "purchased", "pax8"),
    _s(308, "RMM-WS", "Managed workstation", "38.50", "3.15", "used", "ninja"),
    _s(309, "RMM-SRV", "Managed server", "119.00", "6.30", "used", "ninja"),
    _s(310, "EDR", "Endpoint detection and response", "7.75", "3.05", "used", "huntress"),
    _s(311, "ITDR", "Identity threat detection", "4.35", "1.60", "used", "huntress"),
    _s(312, "SAT", "Security awareness training", "3.25", "1.15", "used", "huntress"),
    _s(313, "CARE", "Complete Care workstation", "64.90", "9.20", "bundle", "ninja"),
    _s(314, "VOIP", "Hosted phone seat", "24.95", "13.40", "none", ""),
    _s(315, "VCIO", "Virtual CIO retainer", "850.00", "250.00", "flat", ""),
    # Sold to a few clients each, billed in ways of their own (``unlike``).
    _s(316, "ENTRA-P1", "Microsoft Entra ID P1", "7.90", "5.10", "used", "m365 pax8", "AAD_PREMIUM"),
    _s(317, "ESIGN", "Electronic signatures, user", "9.00", "5.20", "purchased", "pax8"),
    _s(318, "SMS", "Text messages", "0.05", "0.02", "purchased", "pax8"),
    _s(319, "VAULT", "Archive storage, GB", "0.12", "0.05", "purchased", "pax8"),
    _s(320, "STORE", "Backup storage, GB", "0.15", "0.07", "purchased", "pax8"),
    _s(321, "WEBFILT", "Web filter, user", "2.60", "1.10", "purchased", "pax8"),
    _s(322, "PWM", "Password manager, user", "4.20", "2.10", "purchased", "pax8"),
)  # fmt: skip
SERVICE = {s.code: s for s in SERVICES}

# In the catalogue, never on a recurring line in scope.
DORMANT = (
    _s(330, "ONBOARD", "Onboarding project", "1500.00", "600.00", "flat", ""),
    _s(332, "SIEM", "Log watch", "12.00", "6.50", "used", "huntress"),  # in the rules, sold to nobody yet
    Service(331, "AV-LEGACY", "Legacy antivirus", Decimal("3.95"), Decimal("1.90"), "none", (), "AVL-1", is_active=False),
)

_NCE = " [New Commerce Experience]"
PAX8_PRODUCTS = tuple(
    Pax8Product(f"7c0f1d9e-4f7a-4a55-9f5e-0d6b8e1c3{number:03}", service, name, vendor, sku, vendor_sku, Decimal(cost))
    for number, service, name, vendor, sku, vendor_sku, cost in (
        (1, "M365-BP", f"Microsoft 365 Business Premium{_NCE}", "Microsoft", "MST-NCE-103-C100", "CFQ7TTC0LCHC:0002", "18.70"),
        (2, "M365-BS", f"Microsoft 365 Business Standard{_NCE}", "Microsoft", "MST-NCE-102-C100", "CFQ7TTC0LDPB:0001", "10.63"),
        (3, "M365-E3", f"Microsoft 365 E3{_NCE}", "Microsoft", "MST-NCE-117-C100", "CFQ7TTC0LFLX:0001", "31.82"),
        (4, "EXO-P1", f"Exchange Online (Plan 1){_NCE}", "Microsoft", "MST-NCE-131-C100", "CFQ7TTC0LH16:0001", "3.40"),
        (5, "PROOFPT", "Proofpoint Essentials Professional", "Proofpoint", "PPT-ESS-PRO-C100", "PPE-PRO", "3.55"),
        (6, "DROPSUITE", "Dropsuite Backup & Archiving", "Dropsuite", "DRP-BKA-C100", "DRS-BKARC", "2.47"),
        (7, "", "Keeper Business", "Keeper Security", "KPR-BUS-C100", "KEEPER-B", "2.85"),
        (8, "", "Acrobat Pro for teams", "Adobe", "ADB-ACR-C100", "65324066CA", "21.10"),
        (9, "ENTRA-P1", f"Microsoft Entra ID P1{_NCE}", "Microsoft", "MST-NCE-166-C100", "CFQ7TTC0LFLS:0002", "5.10"),
        (10, "ESIGN", "Quillmark Sign Business", "Quillmark", "QLM-SGN-C100", "QLM-SIGN-B", "5.20"),
        (11, "SMS", "Pigeonpost Messages", "Pigeonpost", "PGP-MSG-C100", "PGP-MSG", "0.02"),
        (12, "VAULT", "Stonecellar Archive, GB", "Stonecellar", "STC-ARC-C100", "STC-ARC-GB", "0.05"),
        (13, "STORE", "Stonecellar Backup, GB", "Stonecellar", "STC-BKP-C100", "STC-BKP-GB", "0.07"),
        (14, "WEBFILT", "Siltgate Web Filter", "Siltgate", "SLG-WEB-C100", "SLG-WEB-U", "1.10"),
        (15, "PWM", "Lockbox Teams", "Lockbox", "LBX-TEA-C100", "LBX-TEAM", "2.10"),
    )
)
PAX8 = {p.service: p for p in PAX8_PRODUCTS if p.service}
PAX8["PROOFPT-A"] = PAX8["PROOFPT-M"] = PAX8.pop("PROOFPT")
KEEPER = PAX8_PRODUCTS[6]  # bought for some clients, no service: unmapped

# Microsoft licences beyond the services: part number and GUID.
FREE_SKUS = (
    ("FLOW_FREE", "f30db892-07e9-47e9-837c-80727f46fd3d"),
    ("POWER_BI_STANDARD", "a403ebcc-fae0-4ca2-8c8c-7a907fd6c235"),
)
VISIO = ("VISIOCLIENT", "c5928f49-12ba-48f7-ada3-0d743a3601d5")  # paid, no service: unmapped


def term_of(code: str, *, yearly: bool) -> tuple[str, str | None]:
    """Billing term and commitment a service is bought under at the distributor (T28)."""
    if code == "PROOFPT-A":
        return "Annual", "1-Year"
    if SERVICE[code].vendor_sku not in SKU_IDS and code != "PROOFPT-A":
        return "Monthly", None
    return ("Annual" if yearly else "Monthly"), "1-Year"
