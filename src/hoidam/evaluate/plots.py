"""Small figures as inline SVG, made of numbers alone; colours and lines are the page's to style by class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

Point = tuple[float, float]

_WIDTH, _HEIGHT = 240, 164
_LEFT, _RIGHT, _TOP, _BOTTOM = 26, 8, 20, 20
"""Size and margins of a plot, in the units of its own view box."""


class Axis(NamedTuple):
    """The stretch of ratios that the rows of a table share: from `low` to 1."""

    low: float

    @property
    def ticks(self) -> list[float]:
        """Round values from end to end, six at most."""
        step = {0.8: 0.05, 0.6: 0.1}.get(self.low, 0.2)
        return [round(self.low + step * number, 2) for number in range(round((1 - self.low) / step) + 1)]

    def percent(self, value: float) -> str:
        """Where a value lies, as SVG takes it."""
        return f"{100 * (value - self.low) / (1 - self.low):.2f}%"


def axis_over(values: Iterable[float]) -> Axis:
    """From a fifth that lies below all values, to 1."""
    lowest = min(values, default=0.0)
    return Axis(next((low for low in (0.8, 0.6, 0.4, 0.2) if low <= lowest - 0.01), 0.0))


def forest(value: float | None, *, low: float | None, high: float | None, ceiling: float | None, axis: Axis) -> Markup:
    """A row of a forest plot: a dot on its interval, a diamond where a second annotator stands."""
    grid = Markup("").join(
        Markup('<line class="grid" x1="{0}" x2="{0}" y1="0" y2="100%"/>').format(axis.percent(tick))
        for tick in axis.ticks
    )
    parts = [grid]
    if low is not None and high is not None:
        bar = Markup('<line class="bar" x1="{}" x2="{}" y1="50%" y2="50%"/>')
        parts.append(bar.format(axis.percent(low), axis.percent(high)))
    if ceiling is not None:
        parts.append(
            Markup('<svg x="{}" y="50%" overflow="visible"><path class="ceiling" d="M0-5 5 0 0 5-5 0z"/></svg>').format(
                axis.percent(ceiling)
            )
        )
    if value is not None:
        parts.append(Markup('<circle class="dot" cx="{}" cy="50%" r="3.5"/>').format(axis.percent(value)))
    return Markup('<svg class="forest" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def forest_axis(axis: Axis) -> Markup:
    """The values along the top of a forest plot."""
    marks = Markup("").join(
        Markup('<text x="{}" y="80%">{}</text>').format(axis.percent(tick), f"{tick:g}") for tick in axis.ticks
    )
    return Markup('<svg class="forest scale" aria-hidden="true">{}</svg>').format(marks)


def reliability(before: Mapping[str, Any] | None, *, after: Mapping[str, Any]) -> Markup:
    """How often what was given a score is right: by score before calibration (dashed) and after, with the diagonal.

    The bars below are the share of items in each bin after calibration.
    """
    plot = Plot("score", "share that is right")
    total = sum(each["items"] for each in after["bins"]) or 1
    bars = [
        plot.bar(each["low"], each["high"], height=each["items"] / total, part=0.25)
        for each in after["bins"]
        if each["items"]
    ]
    lines = [plot.line([(0, 0), (1, 1)], "diagonal")]
    if before:
        lines.append(plot.line(_bin_points(before), "before"))
    points = _bin_points(after)
    lines += [plot.line(points, "after"), *(plot.dot(point, "dot") for point in points)]
    return plot.draw([*bars, *lines])


def precision_recall(points: Sequence[Mapping[str, Any]], *, operating: Mapping[str, Any] | None) -> Markup:
    """Precision by recall, and where the tagger works."""
    plot = Plot("recall", "precision")
    dots = [plot.dot(point, "dot") for point in _points([operating] if operating else [], "recall", "precision")]
    return plot.draw([plot.line(_points(points, "recall", "precision"), "f1"), *dots])


def thresholds(points: Sequence[Mapping[str, Any]], *, operating: Mapping[str, Any] | None) -> Markup:
    """Precision, recall and F1 by threshold, and the threshold that the tagger uses."""
    plot = Plot("threshold", "")
    names = ("precision", "recall", "f1")
    lines = [plot.line(_points(points, "threshold", name), name) for name in names]
    if operating:
        at = operating["threshold"]
        lines.insert(0, plot.line([(at, 0), (at, 1)], "operating"))
        lines += [plot.dot(point, "dot") for point in _points([operating], "threshold", "f1")]
    return plot.draw(lines)


def offsets_histogram(counts: Mapping[str, int], *, highest: int) -> Markup:
    """A bar with its count for each number of words from 5 too early to 5 too late."""
    columns = range(-5, 6)
    parts = []
    for place, words in enumerate(columns):
        count = counts.get(str(words), 0)
        x = 6 + 20.6 * place
        height = 52 * count / max(highest, 1)
        kind = "off" if words else "even"
        parts.append(_rect(f"column {kind}", x=x, y=66 - height, width=17, height=height))
        if count:
            parts.append(_text(f"{count:,}", x=x + 8.5, y=62 - height, kind="count"))
        label = f"{words:+d}".replace("-", "−") if words else "0"
        parts.append(_text(label, x=x + 8.5, y=78))
    parts.append(Markup('<line class="axis" x1="4" x2="236" y1="66.5" y2="66.5"/>'))
    return Markup('<svg class="plot" viewBox="0 0 240 84" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


@dataclass(frozen=True, slots=True)
class Plot:
    """A plane from 0 to 1 both ways, with the names of its axes, drawn as SVG."""

    across: str
    up: str

    def x(self, value: float) -> float:
        """Units from the left."""
        return round(_LEFT + value * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Units from the top."""
        return round(_HEIGHT - _BOTTOM - value * (_HEIGHT - _TOP - _BOTTOM), 1)

    def line(self, points: Sequence[Point], kind: str) -> Markup:
        """A line through points from 0 to 1."""
        places = " ".join(f"{self.x(x):g},{self.y(y):g}" for x, y in points)
        return Markup('<polyline class="{}" points="{}"/>').format(kind, places)

    def dot(self, point: Point, kind: str) -> Markup:
        """A dot at a point."""
        return Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="3"/>').format(kind, self.x(point[0]), self.y(point[1]))

    def bar(self, low: float, high: float, *, height: float, part: float) -> Markup:
        """A bar on the axis below, `height` of `part` of the plane high."""
        top = self.y(height * part)
        return _rect("share", x=self.x(low) + 0.5, y=top, width=self.x(high) - self.x(low) - 1, height=self.y(0) - top)

    def draw(self, parts: Iterable[Markup]) -> Markup:
        """The parts inside their frame."""
        frame = [
            part
            for tick in (0.0, 0.5, 1.0)
            for part in (
                self.line([(0, tick), (1, tick)], "grid"),
                self.line([(tick, 0), (tick, 1)], "grid"),
                _text(f"{tick:g}", x=self.x(tick), y=_HEIGHT - 5),
                _text(f"{tick:g}", x=_LEFT - 5, y=self.y(tick) + 3.5, kind="left"),
            )
        ]
        names = [
            _text(self.across, x=self.x(0.75), y=_HEIGHT - 5),
            _text(self.up, x=self.x(0), y=_TOP - 8, kind="up"),
        ]
        body = Markup("").join([*frame, *names, *parts])
        return Markup('<svg class="plot" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(_WIDTH, _HEIGHT, body)


def _bin_points(curve: Mapping[str, Any]) -> list[Point]:
    return [(each["confidence"], each["accuracy"]) for each in curve["bins"] if each["items"]]


def _points(points: Iterable[Mapping[str, Any]], x: str, y: str) -> list[Point]:
    """Where both values are defined; precision is not where nothing is given, recall is not where nothing is gold."""
    return [(point[x], point[y]) for point in points if point[x] is not None and point[y] is not None]


def _rect(kind: str, *, x: float, y: float, width: float, height: float) -> Markup:
    shape = Markup('<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}"/>')
    return shape.format(kind, round(x, 1), round(y, 1), round(max(width, 0), 1), round(max(height, 0), 1))


def _text(text: str, *, x: float, y: float, kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}">{}</text>').format(kind, round(x, 1), round(y, 1), text)
