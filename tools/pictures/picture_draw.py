"""A small pen for the course's pictures: SVG with real text, a title, a description and links.

A picture is 360 units wide, so that its words can still be read on a phone of 320 pixels, and is
shown at most 540 pixels wide. It brings its own paper along: light, or dark where the reader's
system is dark. So it can be read in both schemes of the site, whichever is switched on, and in
print. Nothing is said by colour alone.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

WIDTH = 360
SHOWN = 540

_STYLE = """
.paper{fill:#fbfbfd;stroke:#c9ced8}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;
font-size:12px;fill:#1b1f27}
.small{font-size:10.5px}.strong{font-weight:700}
.soft{fill:#4b5362}.accent{fill:#174ea6}.good{fill:#146c34}.bad{fill:#a51d14}.wait{fill:#7a5200}
.box{fill:#e9eff8;stroke:#5b6b85;stroke-width:1.2}.plain{fill:none;stroke:#5b6b85;stroke-width:1.2}
.boxgood{fill:#dff3e4;stroke:#146c34;stroke-width:1.2}.boxbad{fill:#fde4e1;stroke:#a51d14;stroke-width:1.6}
.boxwait{fill:#fdf1d6;stroke:#7a5200;stroke-width:1.2}.faint{fill:none;stroke:#b4bbc8;stroke-width:1}
.line{fill:none;stroke:#4b5362;stroke-width:1.4}.lineaccent{fill:none;stroke:#174ea6;stroke-width:1.8}
.linebad{fill:none;stroke:#a51d14;stroke-width:1.6}.dash{stroke-dasharray:4 3}.tip{fill:#4b5362}
.areaaccent{fill:#174ea6;fill-opacity:.18;stroke:#174ea6;stroke-width:1.4}
a text{text-decoration:underline}
@media (prefers-color-scheme:dark){
.paper{fill:#1b1f27;stroke:#3d4554}text{fill:#e6e9f0}
.soft{fill:#aab2c0}.accent{fill:#8ab4f8}.good{fill:#7fd79b}.bad{fill:#ff9d94}.wait{fill:#f0c674}
.box{fill:#27334a;stroke:#8fa1bf}.plain{stroke:#8fa1bf}
.boxgood{fill:#173a24;stroke:#7fd79b}.boxbad{fill:#4a1f1c;stroke:#ff9d94}.boxwait{fill:#43351a;stroke:#f0c674}
.faint{stroke:#566074}.line{stroke:#aab2c0}.lineaccent{stroke:#8ab4f8}.linebad{stroke:#ff9d94}.tip{fill:#aab2c0}
.areaaccent{fill:#8ab4f8;stroke:#8ab4f8}
}
""".replace("\n", "")


def number(value: float) -> str:
    """A coordinate with at most one decimal: the same text on every machine."""
    return f"{value:.1f}".removesuffix(".0")


class Picture:
    """One picture. ``title`` names it, ``description`` says what it shows."""

    def __init__(self, title: str, description: str) -> None:
        self.title = title
        self.description = description
        self._parts: list[str] = []

    def text(
        self, x: float, y: float, words: str, kind: str = "", *, anchor: str = "start"
    ) -> None:
        """One line of words, its baseline at ``y``; ``anchor`` is start, middle or end."""
        classes = f' class="{kind}"' if kind else ""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(
            f'<text x="{number(x)}" y="{number(y)}"{classes}{place}>{escape(words)}</text>'
        )

    def lines(self, x: float, y: float, words: list[str], kind: str = "", *, gap: float = 14,
              anchor: str = "start") -> None:  # fmt: skip
        """Several lines of words, one under the other."""
        for at, one in enumerate(words):
            self.text(x, y + at * gap, one, kind, anchor=anchor)

    def box(
        self, x: float, y: float, width: float, height: float, kind: str = "box", *,
        round_: float = 4,
    ) -> None:  # fmt: skip
        """A rectangle."""
        self._parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" '
            f'height="{number(height)}" rx="{number(round_)}" class="{kind}"/>'
        )

    def line(self, *points: tuple[float, float], kind: str = "line") -> None:
        """A line through points."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def shape(self, *points: tuple[float, float], kind: str) -> None:
        """A closed shape."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._parts.append(f'<polygon points="{path}" class="{kind}"/>')

    def arrow(self, *points: tuple[float, float], kind: str = "line") -> None:
        """A line with a tip at its last point."""
        (x0, y0), (x, y) = points[-2], points[-1]
        self.line(*points, kind=kind)
        if abs(x - x0) >= abs(y - y0):
            way = 6 if x > x0 else -6
            self.shape((x, y), (x - way, y - 3.5), (x - way, y + 3.5), kind="tip")
        else:
            way = 6 if y > y0 else -6
            self.shape((x, y), (x - 3.5, y - way), (x + 3.5, y - way), kind="tip")

    def node(
        self, x: float, y: float, width: float, words: list[str], kind: str = "box",
        link: str | None = None, *, bold: int = 1,
    ) -> float:  # fmt: skip
        """A box with centred lines, the first ``bold`` of them bold; returns its lower y."""
        height = 12 + 14 * len(words)
        if link is not None:
            self._parts.append(f'<a href={quoteattr(link)} target="_top">')
        self.box(x, y, width, height, kind)
        strong = "strong" if width >= 112 else "small strong"
        for at, one in enumerate(words):
            kind = strong if at < bold else "small soft"
            self.text(x + width / 2, y + 17 + at * 14, one, kind, anchor="middle")
        if link is not None:
            self._parts.append("</a>")
        return y + height

    def svg(self, height: float) -> str:
        """The picture as a file."""
        shown = round(height * SHOWN / WIDTH)
        # What has links is no single image to a screen reader.
        role = "group" if any(part.startswith("<a ") for part in self._parts) else "img"
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {number(height)}" '
                f'width="{SHOWN}" height="{shown}" role="{role}" aria-labelledby="t d">',
                f'<title id="t">{escape(self.title)}</title>',
                f'<desc id="d">{escape(self.description)}</desc>',
                f"<style>{_STYLE}</style>",
                f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{number(height - 1)}" rx="6" '
                'class="paper"/>',
                *self._parts,
                "</svg>",
                "",
            ]
        )
