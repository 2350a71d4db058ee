"""The dated table of products: every id and name a product has or had, each with its dates and where that is written.

A product's key is Microsoft's SKU GUID, else ``vendor:product``. Two products never share an id at one time; a name they may share, then it
decides nothing by itself ("Microsoft 365 F1" is one product until March 2020 and another since). A name that only ever meant one product
means it at any date: catalogues keep old names for years. A GUID does not say the segment: nonprofit prices are sold under the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

from reconlib.aliases.attributes import split_attributes
from reconlib.aliases.phrases import modern_name, plain_name
from reconlib.errors import DataError, nearest

ID_KINDS = ("guid", "string_id", "product_id", "part_number")
KINDS = (*ID_KINDS, "name")
_SAID = {"guid": "SKU GUID", "string_id": "string id", "product_id": "product and SKU id", "part_number": "part number", "name": "name"}
_OFFER = re.compile(r"(?<![0-9A-Z])(?:US)?(CFQ7TTC0[0-9A-Z]{4})(?:[:/-]?([0-9A-Z]{4})(?![0-9A-Z]))?", re.IGNORECASE)
_GENERIC = re.compile(r"^microsoft (?!365\b)")  # "Microsoft Entra ID P1" and "Entra ID P1" are one name


class Product(NamedTuple):
    """One thing that is sold."""

    key: str
    vendor: str
    name: str  # today's


class Alias(NamedTuple):
    """One id or name of a product; the days it was valid on, both included, None where open."""

    product: str
    kind: str
    value: str
    since: date | None
    until: date | None
    source: str

    def is_valid(self, on: date) -> bool:
        """Whether it was valid on this day."""
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


@dataclass(frozen=True)
class AliasTable:
    """Products and all their aliases, with lookups that cost no more than a dictionary's."""

    products: dict[str, Product]
    aliases: tuple[Alias, ...]

    def find(self, value: str, *, on: date | None = None) -> tuple[Alias, ...]:
        """What a GUID, string id, part number, product id or name means: one alias a product, in the table's order; empty when unknown.

        Several mean that it is ambiguous. A day decides where the products had it at different times; a name cut off decides nothing.
        """
        found = self._ids.get(id_key(value)) or self._offer(value)
        if not found and (key := name_key(value)) and split_attributes(value).cut_at is None:
            found = self._names.get(key) or ()
            if not found and (modern := modern_name(value)) != plain_name(value):
                found = self._names.get(name_key(modern)) or ()
        if on is not None and len({alias.product for alias in found}) > 1:
            found = tuple(alias for alias in found if alias.is_valid(on)) or found
        return tuple({alias.product: alias for alias in reversed(found)}.values())[::-1]

    def keys(self, value: str, *, on: date | None = None) -> tuple[str, ...]:
        """Keys of the products a value means; a segment the table knows no product for is said behind the key: ``<key>+nonprofit``.

        So two names of one product in one segment have one key, though Microsoft sells all segments under one GUID.
        """
        found = tuple(alias.product for alias in self.find(value, on=on))
        said = split_attributes(value)
        if found or not said.segments or said.cut_at:
            return found
        base = " ".join(part for part in (*_without_segments(value), *(f"no {word}" for word in said.without)) if part)
        return tuple(f"{alias.product}+{'+'.join(said.segments)}" for alias in self.find(base, on=on))

    def products_named(self, words: str) -> tuple[Product, ...]:
        """Products with a name that holds all of these words, for a person who looks around."""
        wanted = set(modern_name(words).split())
        keys = {alias.product for alias in self.aliases if alias.kind == "name" and wanted <= set(modern_name(alias.value).split())}
        return tuple(product for product in self.products.values() if product.key in keys)

    def aliases_of(self, product: str) -> tuple[Alias, ...]:
        """Everything a product is or was called.

        Raises:
            DataError: no such product.
        """
        if product not in self.products:
            raise DataError(f"no product {product!r}", where="product aliases", hint=nearest(product, self.products))
        return tuple(alias for alias in self.aliases if alias.product == product)

    def why(self, value: str, product: str) -> str:
        """One sentence that says how a value leads to a product, with its dates and source; empty where it does not."""
        alias = next((alias for alias in self.find(value) if alias.product == product), None)
        if alias is None:
            return ""
        name, kind = self.products[product].name, _SAID[alias.kind]
        if alias.kind == "name" and name_key(alias.value) == name_key(name):
            said = f"{value!r} is a way to write {name!r}" if value != name else f"{value!r} is its name"
        else:
            said = f"{value!r} {'was' if alias.until else 'is'} a {kind} of {name!r}"
        dates = "".join(f" {word} {day}" for word, day in (("from", alias.since), ("until", alias.until)) if day)
        return f"{said}{dates} (source: {alias.source})"

    @cached_property
    def _ids(self) -> dict[str, tuple[Alias, ...]]:
        return _index((id_key(alias.value), alias) for alias in self.aliases if alias.kind in ID_KINDS)

    @cached_property
    def _names(self) -> dict[str, tuple[Alias, ...]]:
        return _index((name_key(alias.value), alias) for alias in self.aliases if alias.kind == "name")

    @cached_property
    def _offers(self) -> dict[str, tuple[Alias, ...]]:
        ids = [alias for alias in self.aliases if alias.kind == "product_id"]
        return _index((alias.value.partition(":")[0].casefold(), alias) for alias in ids)

    def _offer(self, value: str) -> tuple[Alias, ...]:
        """A Microsoft product and SKU id inside a distributor's number: ``P1Y:CFQ7TTC0LCHC:0002:1``; without its SKU, the whole family."""
        match = _OFFER.search(value)
        if match is None:
            return ()
        offer, sku = match.groups()
        return self._ids.get(f"{offer}:{sku}".casefold(), ()) if sku else self._offers.get(offer.casefold(), ())


def name_key(name: str) -> str:
    """What two spellings of one product's name have in common: its words and the attributes that make it another product.

    Term, billing plan and what sellers add are left out; segment, plan number, add-on, size and what is left out of it stay in.

    Example:
        >>> name_key("MS NCE M365 BusinessPremium 1YR COMMIT") == name_key("Microsoft 365 Business Premium")
        True
        >>> name_key("Microsoft 365 Business Premium (Nonprofit)") == name_key("Microsoft 365 Business Premium")
        False
    """
    said = split_attributes(name)
    core = _GENERIC.sub("", said.core).replace(" ", "")
    unit = said.unit if said.unit not in ("user", "seat", "month") else None
    extra = (said.plan, *said.segments, said.add_on, *said.without, *said.sizes, unit)
    return "|".join((core, *(str(part) for part in extra if part)))


def _without_segments(value: str) -> tuple[str, ...]:
    said = split_attributes(modern_name(value))
    return (said.core, said.plan or "", said.add_on or "", *said.sizes, f"per {said.unit}" if said.unit else "")


def id_key(value: str) -> str:
    """An id as it is looked up: case and the kind of space play no part."""
    return " ".join(value.split()).casefold()


def make_table(products: Iterable[Product], aliases: Iterable[Alias]) -> AliasTable:
    """A table of checked rows; the reader has checked them (``reconlib.aliases.files``)."""
    return AliasTable({product.key: product for product in products}, tuple(aliases))


def _index(pairs: Iterable[tuple[str, Alias]]) -> dict[str, tuple[Alias, ...]]:
    found: dict[str, list[Alias]] = {}
    for key, alias in pairs:
        found.setdefault(key, []).append(alias)
    return {key: tuple(aliases) for key, aliases in found.items()}
