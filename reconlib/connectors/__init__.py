"""Every connector by the name params use: a plain dict of functions."""

from __future__ import annotations

from reconlib.connectors import connectwise_psa
from reconlib.connectors.contract import Connector

CONNECTORS: dict[str, Connector] = {
    "connectwise_psa": connectwise_psa.CONNECTOR,
}
