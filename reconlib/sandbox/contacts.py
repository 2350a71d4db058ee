"""Where a made-up company is to be reached: the same at the PSA and at the distributor, but for how it is written.

Numbers are of the range kept for fiction (555-01xx), domains of the one kept for examples; two clients share a building.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconlib.sandbox.cast import FIRST_CLIENT

_STREETS = ("Harbor Way", "Quay Street", "Lighthouse Road", "Mill Lane", "Orchard Avenue")
_CITIES = (("Denver", "CO", "80202"), ("Portland", "ME", "04101"), ("Duluth", "MN", "55802"))
_SHARED = {6: 7}  # the second has its rooms in the first one's building


@dataclass(frozen=True, slots=True)
class Contact:
    """Phone and address of one company, in parts."""

    phone: str
    street: str
    city: str
    state: str
    postcode: str


STRANGER = Contact("(399) 555-0199", "9 Tallow Row", "Denver", "CO", "80202")  # of a company the PSA does not know


def contact_of(client_id: int | None) -> Contact | None:
    """Phone and address of a client; none of a company that is no client."""
    if client_id is None or client_id < FIRST_CLIENT:
        return None
    index = client_id - FIRST_CLIENT
    place = _SHARED.get(index, index)
    city, state, postcode = _CITIES[place % len(_CITIES)]
    return Contact(f"({300 + index // 100}) 555-01{index % 100:02d}", f"{100 + 7 * place} {_STREETS[place % 5]}", city, state, postcode)
