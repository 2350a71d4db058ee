"""The figures of the pages: money and counts as pictures, always beside the table that holds the exact values.

Decimals become floats here and only here, to place a mark on a screen; every label is formatted from the decimal.
"""

from reconlib.charts.billing import plot_decisions, plot_impact_by_client, plot_impact_by_service, plot_waterfall
from reconlib.charts.coverage import plot_client_service_map, plot_four_numbers, plot_mapping_states, plot_source_records
from reconlib.charts.reliability import plot_reliability

__all__ = [
    "plot_client_service_map",
    "plot_decisions",
    "plot_four_numbers",
    "plot_impact_by_client",
    "plot_impact_by_service",
    "plot_mapping_states",
    "plot_reliability",
    "plot_source_records",
    "plot_waterfall",
]
