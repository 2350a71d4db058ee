"""Old words for today's: "Azure Active Directory Premium P1" is "Microsoft Entra ID P1", whatever else stands around it.

Only what was renamed wherever it stood is a phrase here; what changed its meaning ("Microsoft 365 F1") is a dated name in the table.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from reconlib.aliases.attributes import split_attributes
from reconlib.aliases.words import plain_words

PHRASES_FILE = "phrases.csv"


class Phrase(NamedTuple):
    """Words that were replaced by others; ``whole``: only where nothing else names the product."""

    old: str
    new: str
    whole: bool
    since: date
    source: str


@lru_cache(maxsize=1 << 16)
def modern_name(name: str) -> str:
    """A product's name in today's words, lower case; applied to both sides before words are compared.

    Example:
        >>> modern_name("AZURE ACTIVE DIRECTORY PREMIUM P1"), modern_name("Office 365 Business Premium")
        ('microsoft entra id p1', 'microsoft 365 business standard')
    """
    text = plain_name(name)
    whole, anywhere = _replacements()
    core = split_attributes(name).core
    if core in whole and f" {core} " in f" {text} ":
        return f" {text} ".replace(f" {core} ", f" {whole[core]} ", 1).strip()
    done = _pattern().sub(lambda match: anywhere[match[0]], text)
    return re.sub(r"\b([a-z]+)(?: \1\b)+", r"\1", done)


@lru_cache(maxsize=1)
def read_phrases() -> tuple[Phrase, ...]:
    """The packaged phrases, in the file's order."""
    text = files("reconlib.aliases").joinpath(PHRASES_FILE).read_text("utf-8")
    return tuple(
        Phrase(plain_name(row["old"]), plain_name(row["new"]), row["whole"] == "yes", date.fromisoformat(row["since"]), row["source"])
        for row in csv.DictReader(text.splitlines())
    )


@lru_cache(maxsize=1)
def _replacements() -> tuple[dict[str, str], dict[str, str]]:
    """Replacements of whole names, and of words anywhere. A new wording stands for itself, so that it is not replaced again."""
    phrases = read_phrases()
    anywhere = {phrase.new: phrase.new for phrase in phrases} | {phrase.old: phrase.new for phrase in phrases if not phrase.whole}
    return {phrase.old: phrase.new for phrase in phrases if phrase.whole}, anywhere


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    words = sorted(_replacements()[1], key=lambda phrase: (-len(phrase), phrase))
    return re.compile(r"\b(?:" + "|".join(re.escape(word) for word in words) + r")\b")


def plain_name(text: str) -> str:
    """A name's words in one line, joining words left out."""
    return " ".join(word for word in plain_words(text) if word not in ("and", "the"))
