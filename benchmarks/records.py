"""The usage records of a made-up book: every value is a function of the seed and the record's number, so memory stays flat.

Three sources (rmm and edr list devices in no order of clients, m365 lists seats tenant by tenant), about half the records devices with
a serial number; 2 % of those twins of a unit of the same client, 0.5 % sharing the serial of another client's, 3 % not seen for over a
month, 0.5 % created after the as-of day.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.book import AS_OF_DAY, CONNECTORS, RULES
from benchmarks.columns import decimals_column, digits_column, evidence_column, serials_column, words_column
from reconlib.rules import read_rules

MICRO = 1_000_000  # DECIMAL(18, 6) as whole numbers
SHARE_PCT = {"edr": 20, "m365": 45, "rmm": 35}
# vendor product -> how many of a hundred records of its source
PRODUCTS: dict[str, dict[Any, int]] = {
    "edr": {"edr": 80, "itdr": 10, "sat": 8, "siem": 2},
    "m365": {
        "SPB": 22,
        "O365_BUSINESS_PREMIUM": 12,
        "SPE_E3": 12,
        "SPE_E5": 6,
        "EXCHANGESTANDARD": 10,
        "EXCHANGEENTERPRISE": 6,
        "VISIOCLIENT": 2,
        "PROJECTPROFESSIONAL": 2,
        "AAD_PREMIUM": 16,
        "STORAGE_GB": 2,
        "FLOW_FREE": 10,
    },
    "rmm": {"device": 60, "av": 20, "backup": 16, "remote": 4},
}
CLASSES: dict[str, dict[Any, int]] = {
    "edr": {"windows": 70, "windows_server": 14, "darwin": 12, "linux": 4},
    "m365": {"User": 96, "Company": 4},
    "rmm": {
        "WINDOWS_WORKSTATION": 68,
        "MAC": 9,
        "LINUX_WORKSTATION": 2,
        "WINDOWS_SERVER": 12,
        "MAC_SERVER": 1,
        "LINUX_SERVER": 3,
        "NMS_SWITCH": 2,
        "NMS_ROUTER": 1,
        "NMS_FIREWALL": 1,
        "NMS_PRINTER": 1,
    },
}
STATES: dict[str, dict[Any, int]] = {"edr": {None: 100}, "m365": {"Enabled": 97, "Warning": 3}, "rmm": {"APPROVED": 98, "PENDING": 2}}
ATTRIBUTES: dict[str, dict[Any, int]] = {
    "edr": {None: 100},
    "m365": {
        '{"accountEnabled": "true", "userType": "Member"}': 78,
        '{"accountEnabled": "false", "userType": "Member"}': 6,
        '{"accountEnabled": "true", "userType": "Guest"}': 8,
        None: 8,
    },
    "rmm": {None: 100},
}
KEYED = {"edr": ("edr",), "m365": (), "rmm": ("device", "av", "backup")}


class Records:
    """What a book's records are functions of, and what its lines should bill, added up on the way."""

    def __init__(self, clients: int, seed: int) -> None:
        self.clients = clients
        self.seed = seed
        self.rules = read_rules([RULES])
        random = np.random.default_rng(seed)
        weights = random.lognormal(0, 1, clients)
        self.slots = 16 * clients
        shares = np.maximum(1, np.floor(weights / weights.sum() * (self.slots - clients))).astype(np.int64)
        shares[np.argmax(shares)] += self.slots - shares.sum()
        self.sorted_slots = np.repeat(np.arange(clients), shares)
        self.client_of_slot = random.permutation(self.sorted_slots)
        self.services = sorted(self.rules.services)
        self.counted = np.zeros((clients, len(self.services)), np.int64)
        self.accounts = {source: _accounts(source, clients, random) for source in CONNECTORS}

    def draw(self, what: str, source: str, numbers: np.ndarray) -> np.ndarray:
        """64 random bits for each number."""
        salt = sum(ord(letter) << (7 * place % 56) for place, letter in enumerate(f"{what}/{source}"))
        with np.errstate(over="ignore"):
            z = (numbers.astype(np.uint64) + np.uint64(salt + self.seed)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    def chance(self, what: str, source: str, numbers: np.ndarray, per_mille: int) -> np.ndarray:
        """True for so many of a thousand."""
        return self.draw(what, source, numbers) % np.uint64(1000) < per_mille

    def choose(self, what: str, source: str, numbers: np.ndarray, shares: dict[Any, int]) -> np.ndarray:
        """Place of the word each number falls on."""
        edges = np.cumsum(list(shares.values()))
        return np.searchsorted(edges, (self.draw(what, source, numbers) % np.uint64(edges[-1])).astype(np.int64), side="right")

    def client(self, source: str, numbers: np.ndarray, rows: int) -> np.ndarray:
        """Client of each record: m365 tenant by tenant, devices in no order."""
        if source == "m365":
            return np.take(self.sorted_slots, numbers * self.slots // rows)
        return np.take(self.client_of_slot, numbers % self.slots)

    def days(self, source: str, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Days since last seen, and since created (negative: created later)."""
        recent = (self.draw("seen", source, numbers) % np.uint64(20)).astype(np.int64)
        long_ago = (self.draw("unseen", source, numbers) % np.uint64(170)).astype(np.int64) + 31
        created = (self.draw("created", source, numbers) % np.uint64(1500)).astype(np.int64)
        later = self.chance("later", source, numbers, 5)
        return np.where(self.chance("stale", source, numbers, 30), long_ago, recent), np.where(later, -1 - created % 5, created)

    def usage(self, source: str, start: int, count: int, rows: int, schema: pa.Schema) -> pa.Table:
        """Records ``start`` to ``start + count`` of a source."""
        numbers = np.arange(start, start + count, dtype=np.int64)
        client = self.client(source, numbers, rows)
        has_twin = (numbers >= self.slots) & self.chance("twin", source, numbers, 20)
        has_twin &= ~((numbers >= 2 * self.slots) & self.chance("twin", source, numbers - self.slots, 20))
        unit = np.where(has_twin, numbers - self.slots, numbers)
        product = self.choose("product", source, unit, PRODUCTS[source])
        klass = self.choose("class", source, unit, CLASSES[source])
        state = self.choose("state", source, unit, STATES[source])
        attributes = self.choose("attributes", source, numbers, ATTRIBUTES[source])
        seen, created = self.days(source, numbers)
        names = list(PRODUCTS[source])
        keyed = np.isin(product, [names.index(name) for name in KEYED[source]])
        quantity = self.quantity(source, unit, product, names)
        self.add_counted(source, numbers, client, has_twin & keyed, (product, klass, state, attributes), quantity)
        serial = np.where(self.chance("shared", source, unit, 5), np.maximum(unit - 1, 0), unit)
        first, second = self.accounts[source]
        account = np.where(self.chance("account", source, numbers, 300) & (second[client] >= 0), second[client], first[client])
        with_seen = keyed | self.chance("signin", source, numbers, 500)
        columns = {
            "source": words_column(np.zeros(count, np.int64), [source]),
            "usage_record_id": pc.binary_join_element_wise(pa.scalar(source[0]), digits_column(numbers, 10), ""),
            "vendor_account_id": words_column(account, self.account_ids(source)),
            "vendor_product_id": words_column(product, names),
            "quantity_qty": decimals_column(quantity),
            "unit_name": pc.binary_join_element_wise(pa.scalar("unit"), digits_column(unit, 8), "-"),
            "unit_key": serials_column(self.draw("serial", "devices", serial), ~keyed),
            "unit_class": words_column(klass, list(CLASSES[source])),
            "unit_state": words_column(state, list(STATES[source])),
            "created_date": pa.array((AS_OF_DAY - created).astype(np.int32), pa.date32()),
            "last_seen_date": pa.array((AS_OF_DAY - seen).astype(np.int32), pa.date32(), mask=~with_seen),
            "usage_date": pa.nulls(count, pa.date32()),
            "attributes": words_column(attributes, list(ATTRIBUTES[source])),
            "evidence": evidence_column(source, numbers),
        }
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def quantity(self, source: str, unit: np.ndarray, product: np.ndarray, names: list[str]) -> np.ndarray:
        """Units in millionths: mostly one; gigabytes, log sources and protected terabytes more."""
        bits = self.draw("quantity", source, unit)
        if source == "m365":
            return np.where(product == names.index("STORAGE_GB"), (bits % np.uint64(200_000)).astype(np.int64) * 10_000, MICRO)
        if source == "edr":
            return np.where(product == names.index("siem"), (bits % np.uint64(50) + np.uint64(1)).astype(np.int64) * MICRO, MICRO)
        return np.where(
            (product == names.index("backup")) & (bits % np.uint64(20) == 0), (bits % np.uint64(7)).astype(np.int64) * 250_000, MICRO
        )

    def add_counted(
        self, source: str, numbers: np.ndarray, client: np.ndarray, twin: np.ndarray, traits: tuple[np.ndarray, ...], quantity: np.ndarray
    ) -> None:
        """Adds what each client and service should come to, near enough to bill by."""
        product, klass, state, attributes = traits
        names, classes, states, texts = (list(w[source]) for w in (PRODUCTS, CLASSES, STATES, ATTRIBUTES))
        for place, code in enumerate(self.services):
            for count in self.rules.services[code].used:
                if count.connector != CONNECTORS[source]:
                    continue
                limit = self.rules.stale_days if count.stale_days is None else count.stale_days
                fits = np.isin(product, [names.index(name) for name in count.products])
                for field, wanted in count.where.items():
                    codes, words = {"unit_class": (klass, classes), "unit_state": (state, states)}.get(field, (attributes, texts))
                    if field in ("unit_class", "unit_state"):
                        fits &= np.isin(codes, [words.index(word) for word in wanted])
                    else:
                        fits &= np.isin(
                            codes, [n for n, word in enumerate(words) if word and any(f'"{field}": "{w}"' in word for w in wanted)]
                        )
                kept = fits & self.is_live(source, numbers, limit)
                kept &= ~(twin & self.is_live(source, numbers - self.slots, limit))
                self.counted[:, place] += np.bincount(client[kept], weights=quantity[kept], minlength=self.clients).astype(np.int64)

    def is_live(self, source: str, numbers: np.ndarray, limit: int) -> np.ndarray:
        """Seen within the limit, or never said; and created by the as-of day."""
        seen, created = self.days(source, numbers)
        live = seen <= limit
        if source == "m365":
            live |= ~self.chance("signin", source, numbers, 500)
        return live & (created >= 0)

    def account_ids(self, source: str) -> list[str]:
        """Vendor account ids of a source."""
        first, second = self.accounts[source]
        total = int(max(first.max(), second.max())) + 1
        if source == "m365":
            bits = [f"{int(n):016x}" for n in self.draw("tenant", source, np.arange(total))]
            return [f"{b[:8]}-{b[8:12]}-4{b[13:]}-a{b[1:4]}-{b[2:14]}" for b in bits]
        return [str(n) for n in range(1000, 1000 + total)]


def _accounts(source: str, clients: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first = random.permutation(clients)
    second = np.where(random.random(clients) < 0.05, 0, -1) if source != "m365" else np.full(clients, -1)
    second[second == 0] = clients + np.arange((second == 0).sum())
    return first, second
