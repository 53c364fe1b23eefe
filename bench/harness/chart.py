"""Draws bars as an SVG for a README, on light and on dark pages. Written by hand, because it is a few rectangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 840
LABEL_WIDTH: Final = 330
FIGURE_WIDTH: Final = 80
ROW_HEIGHT: Final = 22
HEAD_HEIGHT: Final = 34
OURS: Final = "Bossline"
STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#57606a}.head{font-weight:600;font-size:14px}.bar{fill:#8c959f}.ours{fill:#2f81f7}"
    "@media(prefers-color-scheme:dark){text{fill:#9da7b3}.bar{fill:#6e7681}}"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars under one heading; the longest one fills the width."""

    title: str
    bars: tuple[tuple[str, float], ...]


def draw(panels: Sequence[Panel], foot: str) -> str:
    """Draw the panels one below the other."""
    parts, y = list[str](), 10
    for panel in panels:
        parts.append(f'<text class="head" x="10" y="{y + 18}">{escape(panel.title)}</text>')
        parts += _bars(panel, y + HEAD_HEIGHT)
        y += HEAD_HEIGHT + ROW_HEIGHT * len(panel.bars) + 16
    parts.append(f'<text x="10" y="{y + 10}">{escape(foot)}</text>')
    size = f'width="{WIDTH}" height="{y + 24}" viewBox="0 0 {WIDTH} {y + 24}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def _bars(panel: Panel, top: int) -> list[str]:
    largest = max((value for _, value in panel.bars), default=0) or 1
    parts = []
    for place, (name, value) in enumerate(panel.bars):
        y = top + place * ROW_HEIGHT
        width = max(1.0, (WIDTH - LABEL_WIDTH - FIGURE_WIDTH - 20) * value / largest)
        kind = "bar ours" if name.startswith(OURS) else "bar"
        figure = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        parts.append(f'<text x="{LABEL_WIDTH}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{LABEL_WIDTH + 10}" y="{y + 2}" width="{width:.1f}" height="{ROW_HEIGHT - 6}" rx="2"/>')
        parts.append(f'<text x="{LABEL_WIDTH + 16 + width:.1f}" y="{y + 14}">{figure}</text>')
    return parts
