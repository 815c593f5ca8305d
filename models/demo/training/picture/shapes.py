"""A drawing is a list of shapes; a style decides how each is painted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import skia

from .palette import RGB


@dataclass
class Shape:
    path: skia.Path
    colour: RGB
    # body: a large form that takes shading, outline and shadow; mark: a form drawn on a body; line: a stroke
    kind: str = "body"
    width: float = 0.0  # of a line, in unit coordinates


def svg(d: str) -> skia.Path:
    """A path from the absolute SVG commands M, L, Q, C and Z."""
    path = skia.Path()
    tokens = re.findall(r"[MLQCZ]|-?[\d.]+", d)
    need = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}
    i, command = 0, "M"
    while i < len(tokens):
        if tokens[i] in need:
            command = tokens[i]
            i += 1
        n = need[command]
        v = [float(t) for t in tokens[i : i + n]]
        i += n
        {"M": path.moveTo, "L": path.lineTo, "Q": path.quadTo, "C": path.cubicTo, "Z": path.close}[command](*v)
    return path


def circle(x: float, y: float, r: float) -> skia.Path:
    return skia.Path().addCircle(x, y, r)


def oval(x: float, y: float, rx: float, ry: float) -> skia.Path:
    return skia.Path().addOval(skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry))


def rect(x0: float, y0: float, x1: float, y1: float, r: float = 0.0) -> skia.Path:
    return skia.Path().addRoundRect(skia.Rect.MakeLTRB(x0, y0, x1, y1), r, r)


def line(*points: tuple[float, float]) -> skia.Path:
    path = skia.Path()
    path.moveTo(*points[0])
    for p in points[1:]:
        path.lineTo(*p)
    return path


def star(x: float, y: float, outer: float, inner: float, n: int = 5, turn: float = 0.0) -> skia.Path:
    path = skia.Path()
    for k in range(2 * n):
        r = outer if k % 2 == 0 else inner
        a = -math.pi / 2 + turn + k * math.pi / n
        (path.moveTo if k == 0 else path.lineTo)(x + r * math.cos(a), y + r * math.sin(a))
    path.close()
    return path


def union(a: skia.Path, *others: skia.Path) -> skia.Path:
    for b in others:
        a = skia.Op(a, b, skia.PathOp.kUnion_PathOp)
    return a


def minus(a: skia.Path, b: skia.Path) -> skia.Path:
    return skia.Op(a, b, skia.PathOp.kDifference_PathOp)


def common(a: skia.Path, b: skia.Path) -> skia.Path:
    return skia.Op(a, b, skia.PathOp.kIntersect_PathOp)


def place(shapes: list[Shape], x: float, y: float, size: float, turn: float = 0.0, flip: bool = False) -> list[Shape]:
    """Unit shapes ([-1, 1], y down) moved to the picture's pixels; size is half the width."""
    m = skia.Matrix()
    m.preTranslate(x, y)
    m.preRotate(turn)
    m.preScale(-size if flip else size, size)
    out = []
    for s in shapes:
        p = skia.Path(s.path)
        p.transform(m)
        out.append(Shape(p, s.colour, s.kind, s.width * size))
    return out
