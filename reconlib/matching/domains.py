"""What a web or mail domain says of its owner's name: evidence, never a key (T24).

Public mail domains, sites where anybody has a page, and the MSP's own domain are no evidence.
Suffixes come from tldextract's packaged list; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from reconlib.matching.names import plain_text

PUBLIC_DOMAINS = frozenset(
    """gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com rocketmail.com icloud.com me.com mac.com
    aol.com gmx.com gmx.net gmx.de web.de t-online.de freenet.de mail.com mail.ru yandex.ru proton.me protonmail.com zoho.com fastmail.com
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net optonline.net rogers.com shaw.ca
    sympatico.ca telus.net btinternet.com btconnect.com virginmedia.com sky.com talktalk.net orange.fr wanadoo.fr free.fr laposte.net
    libero.it alice.it tin.it bigpond.com optusnet.com.au xtra.co.nz qq.com 163.com 126.com
    onmicrosoft.com onmicrosoft.us onmicrosoft.de onmschina.cn sharepoint.com sharepoint.us sharepoint.de sharepoint.cn
    facebook.com fb.com instagram.com linkedin.com wixsite.com weebly.com wordpress.com squarespace.com godaddysites.com blogspot.com
    myshopify.com business.site square.site""".split()  # noqa: SIM905 - a hundred quoted words read worse
)
_PUBLIC_ABROAD = frozenset(
    ("aol", "gmx", "googlemail", "hotmail", "live", "msn", "outlook", "rocketmail", "yahoo", "yandex", "ymail")
)  # yahoo.ca
_DOORS = frozenset(("www", "www2", "m", "mobile", "app", "apps", "my", "login", "account", "accounts", "secure", "portal", "home", "web"))
_SOLD_ENDINGS = frozenset(("io", "ai", "co", "me", "tv", "cc", "to", "ly", "fm", "so", "sh", "gg", "im", "is", "it", "la", "eu"))
_PRIVATE = (".example", ".local", ".lan", ".internal", ".test")  # no public suffix, and still an address
_TENANTS = (  # a tenant's name stands before them, in each of Microsoft's clouds
    *(".mail.onmicrosoft.com", ".onmicrosoft.com", ".onmicrosoft.us", ".onmicrosoft.de", ".partner.onmschina.cn"),
    *(".sharepoint.com", ".sharepoint.us", ".sharepoint.de", ".sharepoint.cn"),
)
_FILLERS = re.compile(
    r"^(?:the|my|get|go|group|grp|global|world|intl|int|inc|corp|co|company|ltd|llc|usa|us|uk|eu|online|web|hq|app|team|mail|info)+$"
)
_LOOKS = re.compile(r"^(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}(?:[/:?].*)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Domain:
    """A registered domain, and the label that its owner chose. ``host``: what is compared for equality."""

    host: str
    label: str
    under: str = ""  # subdomains that say something: "azure" of azure.microsoft.com
    country: str = ""  # its ending where that is a country's


@lru_cache(maxsize=1 << 16)
def read_domain(text: object, own: frozenset[str] = frozenset()) -> Domain | None:
    """The domain of an address, a mail address or a web address; none where it says nothing of its owner.

    Example:
        >>> read_domain("https://www.acme-dental.co.uk/contact"), read_domain("billing@gmail.com")
        (Domain(host='acme-dental.co.uk', label='acme-dental', under='', country='uk'), None)
        >>> read_domain("acmedental.onmicrosoft.com")
        Domain(host='acmedental.onmicrosoft.com', label='acmedental', under='', country='')
    """
    if not isinstance(text, str) or not text.strip():
        return None
    host = re.sub(r"^[a-z]+://", "", text.strip().lower()[:300]).split("/")[0].split("?")[0].rpartition("@")[2].split(":")[0].strip(".")
    for ending in _TENANTS:
        if host.endswith(ending):
            label = host.removesuffix(ending).rpartition(".")[2]
            tenant = label + ending.removeprefix(".mail")
            return Domain(tenant, label) if label and tenant not in own else None
    parts = _extract()(host)
    name, suffix = (parts.domain, parts.suffix) if parts.suffix else (".".join(host.split(".")[-2:-1]), host.rpartition(".")[2])
    registered = f"{name}.{suffix}"  # "acme.local" has a suffix that no list knows
    ending = suffix.rpartition(".")[2]
    is_public = registered in PUBLIC_DOMAINS or (name in _PUBLIC_ABROAD and len(ending) == 2)
    if not name or not suffix or is_public or registered in own:
        return None
    under = " ".join(part for part in parts.subdomain.split(".") if part and part not in _DOORS) if parts.suffix else ""
    country = ending if len(ending) == 2 and ending not in _SOLD_ENDINGS else ""
    return Domain(registered, plain_text(name).replace(" ", ""), plain_text(under), country)


def name_of(domain: Domain) -> str:
    """A domain's words as a name: subdomains that say something, then the label.

    Example:
        >>> name_of(read_domain("azure.acme-cloud.com")), name_of(read_domain("www.acme.de"))
        ('azure acme cloud', 'acme')
    """
    return f"{domain.under} {domain.label}".replace("-", " ").strip()


def looks_like_domain(text: object) -> bool:
    """Whether a name is written as a web address.

    Example:
        >>> looks_like_domain("acme-dental.com"), looks_like_domain("Acme Dental Inc.")
        (True, False)
    """
    if not isinstance(text, str) or len(text) > 253 or not _LOOKS.match(text.strip()):
        return False
    return text.strip().lower().endswith(_PRIVATE) or bool(_extract()(text.strip()).suffix)


@dataclass(frozen=True, slots=True)
class Cover:
    """How a name covers a domain's label: share of the label's letters, share of the name's weight used."""

    label_share: float
    name_share: float


def cover_label(label: str, words: Sequence[str], weights: Mapping[str, float]) -> Cover:
    """The best way to read a label as words of a name in their order: whole words, beginnings, initials.

    Example:
        >>> even = dict.fromkeys(("san", "francisco", "fire", "credit", "union"), 1.0)
        >>> cover_label("sffirecu", tuple(even), even).label_share > 0.6
        True
        >>> cover_label("acmedental", ("acme", "dental"), {"acme": 2.0, "dental": 1.0})
        Cover(label_share=1.0, name_share=1.0)
    """
    plain = label.replace("-", "")
    total = sum(weights[word] for word in words)
    if not plain or not total:
        return Cover(0.0, 0.0)
    if "".join(words) == plain:
        return Cover(1.0, 1.0)
    points, used = _best_reading(plain, tuple(words), tuple(weights[word] / total for word in words))
    return Cover(points / len(plain), min(1.0, used))


def _best_reading(label: str, words: tuple[str, ...], shares: tuple[float, ...]) -> tuple[float, float]:
    """(points, share of the name used): a whole word gives a point a letter, three letters .9, two .7, an initial .6; fillers .5."""
    size, count = len(label), len(words)
    best: list[list[tuple[float, float]]] = [[(0.0, 0.0)] * (size + 1) for _ in range(count + 1)]
    for at in range(size):  # after the last word
        best[count][at] = (0.5 * (size - at), 0.0) if _FILLERS.match(label[at:]) else (0.0, 0.0)
    for word_at in range(count - 1, -1, -1):
        word, share, here, after = words[word_at], shares[word_at], best[word_at], best[word_at + 1]
        for at in range(size - 1, -1, -1):
            found = max(after[at], here[at + 1])  # skip the word, or the letter
            if word[0] == label[at]:
                same = _common_prefix(word, label, at)
                for length in {same, 1}:
                    points = length * (1.0 if length == len(word) else 0.9 if length >= 3 else 0.7 if length == 2 else 0.6)
                    rest = after[at + length]
                    partial = 1.0 if length == len(word) else 0.8 if length >= 3 else 0.5
                    found = max(found, (points + rest[0], share * partial + rest[1]))
            here[at] = found
    return best[0][0]


def _common_prefix(word: str, label: str, at: int) -> int:
    length = 0
    while length < len(word) and at + length < len(label) and word[length] == label[at + length]:
        length += 1
    return length


@cache
def _extract() -> Any:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=False)
