"""The figure of how far probabilities can be believed: the share that was right against what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconlib.charts.drawing import LAST, UNDER, UNKNOWN, lay_out, plot_nothing

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from reconlib.reliability import Reliability

SMALLEST, LARGEST = 9, 26  # pixels of a mark, by the square root of how many decisions it stands for


def plot_reliability(found: Reliability) -> go.Figure:
    """True against said share, one mark a range of probability, with its 95 % interval; on the line, it is right as often as it says."""
    import plotly.graph_objects as go

    if not found.bins:
        return plot_nothing(f"Drawn once there are {found.missing} more decisions.")
    most = max(one.count for one in found.bins)
    fig = go.Figure()
    fig.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": LAST, "width": 2, "dash": "dash"}, hoverinfo="skip", name="as good as it says"
    )
    fig.add_scatter(
        x=[float(one.said) for one in found.bins],
        y=[float(one.true) for one in found.bins],
        mode="markers",
        name="decided",
        marker={
            "color": UNDER,
            "size": [SMALLEST + (LARGEST - SMALLEST) * (one.count / most) ** 0.5 for one in found.bins],
            "line": {"width": 0},
        },
        cliponaxis=False,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [float(one.most - one.true) for one in found.bins],
            "arrayminus": [float(one.true - one.least) for one in found.bins],
            "color": UNKNOWN,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[f"said {one.said:.2f}, {one.right} of {one.count} right" for one in found.bins],
        hovertemplate="%{customdata}<extra></extra>",
    )
    lay_out(fig, "How often what was said was right", 420, "above the line: more often right than said; below it: less often")
    fig.update_xaxes(title={"text": "p, as it was shown", "font": {"size": 13}}, range=[0, 1.03], tickformat=".1f")
    fig.update_yaxes(title={"text": "share that was right", "font": {"size": 13}}, range=[0, 1.05], tickformat=".1f")
    return fig
