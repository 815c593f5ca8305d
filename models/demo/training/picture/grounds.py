"""Six grounds, in picture coordinates [0, 1]: a sky of two colours from top to bottom, and shapes before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import skia

from .palette import CREAM, RGB, mix, shift
from .shapes import Shape, circle, line, rect, star


@dataclass
class Ground:
    top: RGB
    bottom: RGB
    shapes: list[Shape]


def _band(rng: np.random.Generator, y: float, sway: float, waves: float, colour: RGB) -> Shape:
    """Everything below a gently swaying line."""
    path = skia.Path()
    phase = rng.uniform(0, 6.28)
    xs = np.linspace(-0.05, 1.05, 12)
    ys = y + sway * np.sin(phase + xs * waves * 6.28)
    path.moveTo(xs[0], ys[0])
    for x0, y0, x1, y1 in zip(xs[:-1], ys[:-1], xs[1:], ys[1:]):
        path.quadTo(x0, y0, (x0 + x1) / 2, (y0 + y1) / 2)
    path.lineTo(1.05, ys[-1])
    path.lineTo(1.05, 1.05)
    path.lineTo(-0.05, 1.05)
    path.close()
    return Shape(path, colour)


def _cloud(x: float, y: float, s: float, colour: RGB) -> Shape:
    path = rect(x - 1.3 * s, y - 0.35 * s, x + 1.3 * s, y + 0.35 * s, 0.35 * s)
    for dx, r in ((-0.45, 0.5), (0.3, 0.62)):
        path = skia.Op(path, circle(x + dx * s, y - 0.2 * s, r * s), skia.PathOp.kUnion_PathOp)
    return Shape(path, colour)


def sea(rng: np.random.Generator) -> Ground:
    top, deep = (205, 232, 240), (66, 158, 182)
    y = rng.uniform(0.56, 0.64)
    out = [_cloud(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2), rng.uniform(0.06, 0.09), (246, 250, 250))]
    for k in range(4):
        out.append(_band(rng, y + k * 0.11, 0.012, 3.2, mix((136, 205, 212), deep, k / 3)))
    return Ground(top, (232, 244, 242), out)


def grass(rng: np.random.Generator) -> Ground:
    y = rng.uniform(0.56, 0.64)
    out = [
        _cloud(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2), rng.uniform(0.06, 0.09), (250, 250, 244)),
        _band(rng, y, 0.03, 0.8, (190, 218, 130)),
        _band(rng, y + 0.16, 0.025, 0.9, (164, 203, 108)),
    ]
    for _ in range(7):
        x, gy = rng.uniform(0.03, 0.97), rng.uniform(y + 0.2, 0.96)
        for dx in (-0.014, 0.0, 0.014):
            out.append(Shape(line((x, gy), (x + dx, gy - 0.035)), (118, 164, 82), "line", 0.008))
    return Ground((216, 236, 240), (243, 244, 222), out)


def night(rng: np.random.Generator) -> Ground:
    out = []
    for _ in range(16):
        x, y, r = rng.uniform(0.02, 0.98), rng.uniform(0.02, 0.68), rng.uniform(0.004, 0.009)
        out.append(Shape(star(x, y, 1.9 * r, 0.7 * r, 4) if rng.random() < 0.35 else circle(x, y, r), (246, 232, 190), "mark"))
    out.append(_band(rng, rng.uniform(0.74, 0.8), 0.035, 0.9, (40, 52, 96)))
    out.append(_band(rng, 0.88, 0.02, 1.1, (30, 38, 74)))
    return Ground((34, 42, 92), (82, 92, 150), out)


def sand(rng: np.random.Generator) -> Ground:
    y = rng.uniform(0.54, 0.62)
    out = [
        Shape(circle(rng.uniform(0.12, 0.88), rng.uniform(0.14, 0.2), 0.065), (253, 240, 196)),
        _band(rng, y, 0.035, 0.7, (236, 207, 150)),
        _band(rng, y + 0.13, 0.03, 0.8, (226, 190, 128)),
        _band(rng, y + 0.27, 0.025, 0.9, (214, 174, 112)),
    ]
    return Ground((250, 232, 200), (252, 242, 218), out)


def sunset(rng: np.random.Generator) -> Ground:
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.64, 0.7)
    out = [
        Shape(rect(-0.05, 0.2, 1.05, 1.05), (240, 148, 138), "mark"),
        Shape(rect(-0.05, 0.4, 1.05, 1.05), (249, 178, 128), "mark"),
        Shape(circle(x, y, 0.2), (255, 222, 140), "mark"),
        _band(rng, y, 0.01, 0.8, (112, 74, 124)),
        _band(rng, y + 0.14, 0.02, 0.9, (82, 56, 104)),
    ]
    return Ground((204, 112, 146), (214, 120, 146), out)


def plain(rng: np.random.Generator) -> Ground:
    base: RGB = [(243, 233, 214), (232, 236, 232), (240, 226, 222)][int(rng.integers(3))]
    floor = Shape(rect(-0.05, 0.78, 1.05, 1.05), shift(base, 0, 1.15, 0.95), "mark")
    return Ground(mix(base, CREAM, 0.3), base, [floor])


GROUNDS = {"sea": sea, "grass": grass, "night sky": night, "sand": sand, "sunset": sunset, "plain": plain}
