"""A made-up MSP served over loopback HTTP, with labelled discrepancies; no stage imports it."""
