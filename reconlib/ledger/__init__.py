"""The ledger: who decided what, when, why and on which values, appended and never changed (T127, T129)."""

from reconlib.ledger.events import KINDS, Event, canonical_json, event_hash, standing_signature, utc_text
from reconlib.ledger.store import Ledger, open_ledger

__all__ = ["KINDS", "Event", "Ledger", "canonical_json", "event_hash", "open_ledger", "standing_signature", "utc_text"]
