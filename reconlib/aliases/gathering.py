"""New aliases of one import, told from what the table knows; what several products of a list share decides nothing and is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from reconlib.aliases.table import Alias, AliasTable, name_key


@dataclass
class Imported:
    """What an import found: new aliases, and how many rows said nothing new or could not be told apart."""

    aliases: list[Alias] = field(default_factory=list)
    known: int = 0  # ids and names the table has already
    shared: list[str] = field(default_factory=list)  # ids that the file itself gives to several products: they decide nothing


class Gatherer:
    """New aliases of one import, beside the table they will join."""

    def __init__(self, table: AliasTable, source: str, since: date | None) -> None:
        self._table, self._source, self._since = table, source, since
        self._names = {name_key(alias.value): alias.product for alias in table.aliases if alias.kind == "name" and alias.until is None}
        self._owners: dict[tuple[str, str], set[str]] = {}
        self._products: set[str] = set(table.products)
        self._seen: set[tuple[str, str, str]] = set()
        self._found = Imported()

    def offer_id(self, kind: str, value: str, product: str) -> None:
        """Hear of an id before ids are taken: one that several products of the file have decides nothing."""
        self._owners.setdefault((kind, value.casefold()), set()).add(product.lower())

    def add_product(self, key: str, name: str, *, label: str) -> None:
        """A product, or one more name of one that is known. A name another product has stays that product's."""
        owner = self._names.setdefault(name_key(name), key)
        if key not in self._products:
            self._products.add(key)
            self._append(Alias(key, "product", name if owner == key else f"{name} [{label}]", self._since, None, self._source))
        elif owner == key and not self._is_known(name, key):
            self._append(Alias(key, "name", name, self._since, None, self._source))
        else:
            self._found.known += (key, "name", name_key(name)) not in self._seen
        self._seen.add((key, "name", name_key(name)))

    def add(self, kind: str, value: str, product: str) -> None:
        """An id of a product."""
        if (product, kind, value.casefold()) in self._seen:
            return
        self._seen.add((product, kind, value.casefold()))
        if len(self._owners.get((kind, value.casefold()), ())) > 1:
            self._found.shared = sorted({*self._found.shared, value})
        elif self._is_known(value, product):
            self._found.known += 1
        else:
            self._append(Alias(product, kind, value, None, None, self._source))

    def done(self) -> Imported:
        """All that was found."""
        return self._found

    def _is_known(self, value: str, product: str) -> bool:
        return any(alias.product == product for alias in self._table.find(value))

    def _append(self, alias: Alias) -> None:
        if (alias.product, alias.kind, name_key(alias.value)) not in self._seen:
            self._found.aliases.append(alias)
