"""Every connector by the name params use: a plain dict of functions."""

from __future__ import annotations

from reconlib.connectors import connectwise_psa, huntress, msgraph, ninjaone, pax8
from reconlib.connectors.contract import Connector
from reconlib.connectors.file import FILE

CONNECTORS: dict[str, Connector] = {
    "connectwise_psa": connectwise_psa.CONNECTOR,
    "file": FILE,
    "huntress": huntress.CONNECTOR,
    "msgraph": msgraph.CONNECTOR,
    "ninjaone": ninjaone.CONNECTOR,
    "pax8": pax8.CONNECTOR,
}
