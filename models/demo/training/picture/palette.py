"""The colours of the picture language, as sRGB triples in 0..255."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

RGB = tuple[float, float, float]

INK: RGB = (44, 41, 52)
CREAM: RGB = (250, 244, 230)
PAPER: RGB = (248, 243, 232)

COLOURS: dict[str, RGB] = {
    "red": (214, 57, 52),
    "orange": (240, 136, 44),
    "yellow": (249, 205, 66),
    "green": (70, 152, 82),
    "blue": (52, 104, 196),
    "purple": (126, 78, 172),
    "pink": (243, 142, 176),
    "white": (249, 246, 238),
    "black": (50, 47, 58),
}


def mix(a: RGB, b: RGB, t: float) -> RGB:
    """Linear mix, t=0 gives a."""
    return tuple(x + (y - x) * t for x, y in zip(a, b))  # type: ignore[return-value]


def shift(c: RGB, hue: float = 0.0, sat: float = 1.0, val: float = 1.0) -> RGB:
    """Move a colour in HSV: hue is added (turns), saturation and value are multiplied."""
    h, s, v = colorsys.rgb_to_hsv(c[0] / 255, c[1] / 255, c[2] / 255)
    r, g, b = colorsys.hsv_to_rgb((h + hue) % 1, min(1, s * sat), min(1, v * val))
    return (r * 255, g * 255, b * 255)


def luma(c: RGB) -> float:
    return (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]) / 255


@dataclass(frozen=True)
class Tones:
    """What an object is painted with: its own colour in three values, and two neutrals."""

    main: RGB
    shade: RGB
    light: RGB
    detail: RGB  # reads against main: cream on dark colours, ink on light ones
    accent: RGB  # a second, softer neutral


def tones(colour: str | RGB) -> Tones:
    main = COLOURS[colour] if isinstance(colour, str) else colour
    dark = luma(main) < 0.25
    pale = luma(main) > 0.9
    shade = mix(main, (196, 190, 196), 0.55) if pale else mix(shift(main, 0.0, 1.05, 0.76), (60, 40, 110), 0.12)
    light = mix(main, (255, 250, 235), 0.22 if dark else 0.38)
    detail = INK if luma(main) > 0.62 else CREAM
    accent = mix(main, CREAM, 0.72) if not pale else (232, 222, 205)
    return Tones(main, shade, light, detail, accent)
