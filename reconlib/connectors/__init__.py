"""Every connector by the name params use: a plain dict of functions."""

from __future__ import annotations

from reconlib.connectors import (
    connectwise_psa,
    focus,
    huntress,
    msgraph,
    ninjaone,
    partner_center,
    partner_center_file,
    partner_center_purchases,
    pax8,
)
from reconlib.connectors.contract import Connector
from reconlib.connectors.file import FILE

CONNECTORS: dict[str, Connector] = {
    "connectwise_psa": connectwise_psa.CONNECTOR,
    "file": FILE,
    "focus": focus.CONNECTOR,
    "huntress": huntress.CONNECTOR,
    "msgraph": msgraph.CONNECTOR,
    "ninjaone": ninjaone.CONNECTOR,
    "partner_center": partner_center.CONNECTOR,
    "partner_center_file": partner_center_file.CONNECTOR,
    "partner_center_purchases": partner_center_purchases.CONNECTOR,
    "pax8": pax8.CONNECTOR,
}
