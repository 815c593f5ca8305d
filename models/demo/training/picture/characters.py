"""Two particular characters, and false ones drawn on purpose with the other's parts or colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .palette import CREAM, INK, RGB, mix, shift
from .shapes import Shape, circle, common, line, oval, rect, star, svg, union

TEAL: RGB = (38, 160, 158)
MUSTARD: RGB = (246, 190, 60)
CORAL: RGB = (232, 84, 66)
FOX: RGB = (226, 106, 46)
SCARF: RGB = (44, 92, 170)


@dataclass(frozen=True)
class Marks:
    """Everything that makes a character itself. `replace` one field and it is a false one."""

    coat: RGB
    second: RGB
    third: RGB
    emblem: str = "none"
    top: str = "none"  # what stands on the head
    neck: str = "none"


ROBOT = Marks(coat=TEAL, second=MUSTARD, third=CORAL, emblem="heart", top="antenna")
FOX_MARKS = Marks(coat=FOX, second=CREAM, third=SCARF, emblem="star", neck="scarf")


def robot(m: Marks = ROBOT) -> list[Shape]:
    dark = mix(shift(m.coat, 0, 1, 0.7), INK, 0.2)
    out: list[Shape] = []
    if m.top == "antenna":
        out += [Shape(line((0, -0.6), (0, -0.84)), dark, "line", 0.07), Shape(circle(0, -0.86, 0.12), m.third)]
    elif m.top == "ears":
        out += [Shape(svg(f"M {0.5 * s} -0.5 L {0.42 * s} -0.98 L {0.08 * s} -0.62 Z"), m.coat) for s in (-1, 1)]
    for s in (-1, 1):  # striped arms and feet
        out.append(Shape(rect(0.5 * s - 0.1, 0.16, 0.5 * s + 0.1, 0.62, 0.1), m.second))
        out.append(Shape(rect(0.5 * s - 0.1, 0.33, 0.5 * s + 0.1, 0.43), dark, "mark"))
        out.append(Shape(rect(0.24 * s - 0.15, 0.68, 0.24 * s + 0.15, 0.95, 0.07), m.second))
    out.append(Shape(rect(-0.44, 0.06, 0.44, 0.8, 0.1), m.coat))
    out.append(Shape(rect(-0.6, -0.64, 0.6, 0.04, 0.16), m.coat))
    out.append(Shape(rect(-0.46, -0.5, 0.46, -0.1, 0.12), mix(INK, m.coat, 0.12), "mark"))
    for s in (-1, 1):
        out.append(Shape(circle(0.22 * s, -0.3, 0.13), CREAM, "mark"))
        out.append(Shape(circle(0.22 * s, -0.3, 0.055), INK, "mark"))
    out += _emblem(m.emblem, 0, 0.4, 0.2, m.third if m.emblem == "heart" else CREAM)
    if m.neck == "scarf":
        out += _scarf(m.third, 0.04, 0.5)
    return out


def fox(m: Marks = FOX_MARKS) -> list[Shape]:
    tip = mix(INK, m.coat, 0.15)
    tail = svg("M 0.2 0.85 C 0.75 0.95 1.05 0.5 0.86 0.02 C 0.7 0.3 0.5 0.35 0.3 0.5 Z")
    out: list[Shape] = [
        Shape(tail, m.coat),
        Shape(common(tail, circle(0.9, 0.1, 0.27)), m.second, "mark"),
        Shape(svg("M -0.42 0.95 C -0.5 0.4 -0.3 0.1 0 0.1 C 0.3 0.1 0.5 0.4 0.42 0.95 Z"), m.coat),
        Shape(oval(0, 0.68, 0.2, 0.27), m.second, "mark"),
    ]
    if m.top == "antenna":
        out += [Shape(line((0, -0.5), (0, -0.84)), tip, "line", 0.07), Shape(circle(0, -0.86, 0.12), m.third)]
    ears = [svg(f"M {0.66 * s} -0.3 L {0.66 * s} -0.98 L {0.12 * s} -0.56 Z") for s in (-1, 1)]
    head = union(svg("M -0.78 -0.3 C -0.5 -0.72 0.5 -0.72 0.78 -0.3 C 0.6 0.02 0.22 0.26 0 0.3 C -0.22 0.26 -0.6 0.02 -0.78 -0.3 Z"), *ears)
    out.append(Shape(head, m.coat))
    out += [Shape(common(e, rect(-1, -1, 1, -0.68)), tip, "mark") for e in ears]
    for s in (-1, 1):
        cheek = svg(f"M {0.78 * s} -0.3 C {0.6 * s} 0.02 {0.22 * s} 0.26 0 0.3 C {0.05 * s} 0.05 {0.3 * s} -0.05 {0.78 * s} -0.3 Z")
        out.append(Shape(cheek, m.second, "mark"))
        out.append(Shape(oval(0.3 * s, -0.22, 0.075, 0.1), INK, "mark"))
    out.append(Shape(oval(0, 0.2, 0.1, 0.075), INK, "mark"))
    out += _emblem(m.emblem, 0, -0.4, 0.14, m.second if m.emblem == "star" else m.third)
    if m.neck == "scarf":
        out += _scarf(m.third, 0.3, 0.4)
    return out


def _emblem(kind: str, x: float, y: float, r: float, colour: RGB) -> list[Shape]:
    if kind == "heart":
        h = svg(
            f"M {x} {y + r} C {x - 1.7 * r} {y - 0.1 * r} {x - 0.8 * r} {y - 1.3 * r} {x} {y - 0.45 * r} C {x + 0.8 * r} {y - 1.3 * r} {x + 1.7 * r} {y - 0.1 * r} {x} {y + r} Z"
        )
        return [Shape(h, colour, "mark")]
    if kind == "star":
        return [Shape(star(x, y, r * 1.15, r * 0.5), colour, "mark")]
    return []


def _scarf(colour: RGB, y: float, w: float) -> list[Shape]:
    band = svg(f"M {-w} {y - 0.07} Q 0 {y + 0.1} {w} {y - 0.07} L {w} {y + 0.09} Q 0 {y + 0.26} {-w} {y + 0.09} Z")
    end = svg(f"M {-0.5 * w} {y + 0.05} L {-0.15 * w} {y + 0.1} L {-0.3 * w} {y + 0.5} L {-0.8 * w} {y + 0.44} Z")
    return [Shape(end, shift(colour, 0, 1, 0.85)), Shape(band, colour)]


CHARACTERS = {"robot": (robot, ROBOT), "fox": (fox, FOX_MARKS)}


def false_marks(name: str, rng) -> Marks:
    """Marks that are nearly the character's, but with at least two of the other's, or a foreign coat."""
    own, other = (ROBOT, FOX_MARKS) if name == "robot" else (FOX_MARKS, ROBOT)
    swaps = ["coat", "parts", "second"]
    chosen = {swaps[int(rng.integers(3))]} if rng.random() < 0.6 else set(swaps)
    m = own
    if "coat" in chosen:
        coat = other.coat if rng.random() < 0.6 else [(126, 78, 172), (70, 152, 82), (200, 80, 120)][int(rng.integers(3))]
        m = replace(m, coat=coat)
    if "second" in chosen:
        m = replace(m, second=other.second, third=other.third)
        if rng.random() < 0.5:
            m = replace(m, coat=other.coat)
    if "parts" in chosen:
        m = replace(m, emblem=other.emblem, neck=other.neck, third=other.third, top="antenna" if name == "fox" else "ears")
    return m
