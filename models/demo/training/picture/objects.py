"""Fourteen objects in unit coordinates: x and y in [-1, 1], y down, resting on y = 0.95."""

from __future__ import annotations

import math

from .palette import CREAM, INK, Tones, mix
from .shapes import Shape, circle, common, line, minus, oval, rect, star, svg, union


def _star(t: Tones) -> list[Shape]:
    return [Shape(star(0, 0.08, 1.0, 0.46), t.main), Shape(star(0, 0.1, 0.5, 0.23), t.light, "mark")]


def _circle(t: Tones) -> list[Shape]:
    ring = minus(circle(0, 0, 0.62), circle(0, 0, 0.5))
    return [Shape(circle(0, 0, 0.92), t.main), Shape(ring, t.light, "mark")]


def _house(t: Tones) -> list[Shape]:
    roof = svg("M -1 -0.08 L 0 -0.95 L 1 -0.08 Q 1 0.04 0.88 0.04 L -0.88 0.04 Q -1 0.04 -1 -0.08 Z")
    return [
        Shape(rect(0.42, -0.86, 0.64, -0.2), t.shade),
        Shape(rect(-0.78, -0.02, 0.78, 0.95), t.main),
        Shape(roof, t.shade),
        Shape(rect(-0.14, 0.4, 0.24, 0.95, 0.03), t.detail, "mark"),
        Shape(rect(-0.6, 0.25, -0.3, 0.56, 0.03), t.accent, "mark"),
        Shape(rect(0.38, 0.25, 0.64, 0.56, 0.03), t.accent, "mark"),
        Shape(circle(0, -0.36, 0.14), t.accent, "mark"),
    ]


def _tree(t: Tones) -> list[Shape]:
    crown = union(circle(-0.42, -0.1, 0.42), circle(0.42, -0.1, 0.42), circle(0, -0.48, 0.48), circle(0, 0.05, 0.42))
    trunk = svg("M -0.13 0.2 L 0.13 0.2 C 0.13 0.6 0.16 0.8 0.3 0.95 L -0.3 0.95 C -0.16 0.8 -0.13 0.6 -0.13 0.2 Z")
    return [
        Shape(trunk, (112, 78, 66)),
        Shape(crown, t.main),
        Shape(circle(-0.3, -0.45, 0.1), t.light, "mark"),
        Shape(circle(0.3, -0.2, 0.1), t.light, "mark"),
        Shape(circle(-0.2, 0.05, 0.1), t.light, "mark"),
    ]


def _fish(t: Tones) -> list[Shape]:
    body = svg("M -0.95 0.05 C -0.7 -0.62 0.2 -0.7 0.55 0 C 0.2 0.72 -0.7 0.66 -0.95 0.05 Z")
    tail = svg("M 0.4 0.02 C 0.6 -0.1 0.8 -0.5 1 -0.5 C 0.92 -0.2 0.92 0.25 1 0.55 C 0.8 0.55 0.6 0.15 0.4 0.02 Z")
    fin = svg("M -0.35 -0.42 C -0.15 -0.85 0.2 -0.8 0.35 -0.68 C 0.2 -0.6 0.15 -0.5 0.2 -0.35 Z")
    bands = [common(body, rect(x, -1, x + 0.13, 1)) for x in (-0.18, 0.1)]
    return [
        Shape(fin, t.shade),
        Shape(tail, t.shade),
        Shape(body, t.main),
        *[Shape(b, t.accent, "mark") for b in bands],
        Shape(circle(-0.58, -0.12, 0.12), CREAM, "mark"),
        Shape(circle(-0.6, -0.12, 0.065), INK, "mark"),
    ]


def _cat(t: Tones) -> list[Shape]:
    head = union(
        oval(0, 0.2, 0.88, 0.72),
        svg("M -0.86 0.1 L -0.78 -0.86 Q -0.74 -0.95 -0.66 -0.88 L -0.12 -0.4 Z"),
        svg("M 0.86 0.1 L 0.78 -0.86 Q 0.74 -0.95 0.66 -0.88 L 0.12 -0.4 Z"),
    )
    pink = (238, 150, 160)
    out = [
        Shape(head, t.main),
        Shape(svg("M -0.7 -0.3 L -0.68 -0.68 L -0.38 -0.4 Z"), pink, "mark"),
        Shape(svg("M 0.7 -0.3 L 0.68 -0.68 L 0.38 -0.4 Z"), pink, "mark"),
    ]
    for side in (-1, 1):
        out.append(Shape(oval(0.36 * side, 0.1, 0.15, 0.18), CREAM if t.detail == CREAM else (255, 255, 255), "mark"))
        out.append(Shape(oval(0.36 * side, 0.11, 0.075, 0.14), INK, "mark"))
        for y in (0.38, 0.54):
            out.append(Shape(line((0.42 * side, y), (1.0 * side, y + (y - 0.46) * 0.9)), t.detail, "line", 0.045))
    out.append(Shape(svg("M -0.12 0.34 L 0.12 0.34 L 0 0.47 Z"), pink, "mark"))
    out.append(Shape(svg("M -0.2 0.58 Q -0.06 0.66 0 0.48 Q 0.06 0.66 0.2 0.58"), t.detail, "line", 0.05))
    return out


def _boat(t: Tones) -> list[Shape]:
    hull = svg("M -0.95 0.42 L 0.95 0.42 C 0.86 0.8 0.66 0.95 0.45 0.95 L -0.5 0.95 C -0.7 0.95 -0.88 0.75 -0.95 0.42 Z")
    stripe = common(hull, rect(-1, 0.52, 1, 0.62))
    sail = svg("M 0.02 -0.95 C 0.62 -0.55 0.8 -0.1 0.82 0.28 L 0.02 0.28 Z")
    jib = svg("M -0.12 -0.7 C -0.5 -0.4 -0.72 -0.05 -0.78 0.28 L -0.12 0.28 Z")
    return [
        Shape(rect(-0.08, -0.95, -0.01, 0.5), (112, 78, 66)),
        Shape(sail, t.main),
        Shape(jib, t.light),
        Shape(hull, t.shade),
        Shape(stripe, t.accent, "mark"),
    ]


def _flower(t: Tones) -> list[Shape]:
    stem = (74, 140, 78)
    petals = circle(0, -0.32, 0.3)
    for k in range(6):
        a = math.pi / 6 + k * math.pi / 3
        petals = union(petals, circle(0.38 * math.cos(a), -0.32 + 0.38 * math.sin(a), 0.25))
    centre = (110, 74, 60) if t.main[0] > 230 and 170 < t.main[1] < 225 and t.main[2] < 120 else (250, 206, 80)
    leaf = svg("M 0 0.78 C 0.1 0.45 0.4 0.38 0.62 0.4 C 0.58 0.65 0.35 0.85 0 0.78 Z")
    leaf2 = svg("M 0 0.88 C -0.1 0.6 -0.35 0.55 -0.55 0.58 C -0.5 0.8 -0.3 0.95 0 0.88 Z")
    return [
        Shape(rect(-0.055, -0.1, 0.055, 0.95, 0.05), stem),
        Shape(leaf, stem),
        Shape(leaf2, stem),
        Shape(petals, t.main),
        Shape(circle(0, -0.32, 0.2), centre, "mark"),
    ]


def _mushroom(t: Tones) -> list[Shape]:
    cap = svg("M -0.95 0.1 C -0.95 -1.2 0.95 -1.2 0.95 0.1 C 0.7 0.26 -0.7 0.26 -0.95 0.1 Z")
    stalk = svg("M -0.3 0.1 C -0.22 0.5 -0.36 0.75 -0.36 0.85 Q -0.34 0.95 0 0.95 Q 0.34 0.95 0.36 0.85 C 0.36 0.75 0.22 0.5 0.3 0.1 Z")
    spots = [(-0.5, -0.22, 0.15), (0.06, -0.5, 0.17), (0.55, -0.2, 0.14), (0.05, -0.06, 0.1)]
    return [
        Shape(stalk, (240, 226, 200)),
        Shape(cap, t.main),
        *[Shape(circle(*s), t.accent, "mark") for s in spots],
    ]


def _moon(t: Tones) -> list[Shape]:
    moon = minus(circle(-0.08, 0, 0.92), circle(0.42, -0.14, 0.74))
    craters = [(-0.62, 0.05, 0.11), (-0.42, 0.5, 0.09), (-0.55, -0.38, 0.075)]
    return [Shape(moon, t.main), *[Shape(circle(*c), t.light, "mark") for c in craters]]


def _cup(t: Tones) -> list[Shape]:
    body = svg("M -0.8 -0.35 L 0.5 -0.35 L 0.42 0.7 Q 0.38 0.95 0.12 0.95 L -0.42 0.95 Q -0.68 0.95 -0.72 0.7 Z")
    handle = minus(oval(0.5, 0.18, 0.42, 0.4), oval(0.5, 0.18, 0.24, 0.22))
    steam = [svg(f"M {x} -0.52 C {x - 0.2} -0.66 {x + 0.2} -0.76 {x} -0.95") for x in (-0.42, -0.02)]
    return [
        *[Shape(s, mix(t.accent, (235, 235, 240), 0.5), "line", 0.085) for s in steam],
        Shape(handle, t.shade),
        Shape(body, t.main),
        Shape(oval(-0.15, -0.35, 0.65, 0.13), t.accent, "mark"),
        Shape(oval(-0.15, -0.33, 0.53, 0.085), (104, 66, 52), "mark"),
    ]


def _kite(t: Tones) -> list[Shape]:
    whole = svg("M 0.1 -0.98 L 0.68 -0.36 L 0.02 0.5 L -0.56 -0.36 Z")
    right = common(whole, svg("M 0.1 -0.98 L 0.02 0.5 L 2 0.5 L 2 -1 Z"))
    tail = svg("M 0.02 0.5 C 0.3 0.6 -0.3 0.75 -0.05 0.95")
    bows = [
        svg(f"M {x} {y} L {x - 0.16} {y - 0.09} L {x - 0.14} {y + 0.1} Z M {x} {y} L {x + 0.16} {y - 0.09} L {x + 0.14} {y + 0.1} Z")
        for x, y in ((0.07, 0.62), (-0.08, 0.84))
    ]
    return [
        Shape(tail, t.detail if t.detail == INK else mix(t.main, INK, 0.45), "line", 0.045),
        Shape(whole, t.main),
        Shape(right, t.shade, "mark"),
        Shape(line((-0.56, -0.36), (0.68, -0.36)), t.accent, "line", 0.06),
        Shape(line((0.1, -0.98), (0.02, 0.5)), t.accent, "line", 0.06),
        *[Shape(b, t.main, "body") for b in bows],
    ]


def _bird(t: Tones) -> list[Shape]:
    body = svg(
        "M -0.62 -0.3 C -0.6 -0.8 0.02 -0.82 0.12 -0.36 C 0.2 -0.1 0.55 0 0.98 -0.16 C 0.9 0.42 0.45 0.72 0 0.72 C -0.45 0.72 -0.66 0.2 -0.62 -0.3 Z"
    )
    wing = svg("M -0.2 0.02 C 0.05 -0.2 0.4 0.05 0.62 0.12 C 0.45 0.45 0 0.5 -0.2 0.02 Z")
    beak = svg("M -0.58 -0.42 L -0.98 -0.26 L -0.6 -0.18 Z")
    legs = [line((x, 0.68), (x - 0.03, 0.94), (x - 0.16, 0.94)) for x in (-0.1, 0.14)]
    orange = (240, 150, 50) if t.main[0] < 230 or t.main[1] > 170 or t.main[1] < 100 else (120, 76, 58)
    return [
        *[Shape(p, (120, 84, 66), "line", 0.055) for p in legs],
        Shape(beak, orange),
        Shape(body, t.main),
        Shape(wing, t.shade, "mark"),
        Shape(circle(-0.32, -0.38, 0.1), CREAM, "mark"),
        Shape(circle(-0.34, -0.38, 0.055), INK, "mark"),
    ]


def _heart(t: Tones) -> list[Shape]:
    heart = svg(
        "M 0 0.95 C -1.6 -0.1 -0.9 -1.1 -0.4 -0.9 C -0.15 -0.82 -0.04 -0.65 0 -0.5 C 0.04 -0.65 0.15 -0.82 0.4 -0.9 C 0.9 -1.1 1.6 -0.1 0 0.95 Z"
    )
    glint = svg("M -0.72 -0.2 C -0.78 -0.5 -0.6 -0.7 -0.42 -0.68 C -0.56 -0.56 -0.6 -0.4 -0.58 -0.22 Q -0.65 -0.12 -0.72 -0.2 Z")
    return [Shape(heart, t.main), Shape(glint, t.light, "mark")]


OBJECTS = {
    "star": _star,
    "circle": _circle,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "cat": _cat,
    "boat": _boat,
    "flower": _flower,
    "mushroom": _mushroom,
    "moon": _moon,
    "cup": _cup,
    "kite": _kite,
    "bird": _bird,
    "heart": _heart,
}
