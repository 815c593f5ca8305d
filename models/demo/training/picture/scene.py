"""What a picture shows: drawn at random from the grammar, put into words, and laid out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import characters
from .grounds import GROUNDS
from .objects import OBJECTS
from .palette import COLOURS, tones
from .shapes import place
from .styles import ADAPTER_STYLES, BASE_STYLES, render

OBJECT_NAMES = list(OBJECTS)
COLOUR_NAMES = list(COLOURS)
GROUND_NAMES = list(GROUNDS)
RELATIONS = ["left of", "right of", "above", "on", "and"]
# Rare words that no caption of the base holds; an adapter gives them their meaning.
TRIGGERS = {"robot": "volbot", "fox": "emberfox"}


@dataclass
class Thing:
    name: str  # an object, or a character ("robot", "fox")
    colour: str  # "" for a character
    size: str = ""  # "small", "large" or ""
    x: float = 0.5
    y: float = 0.5
    half: float = 0.2  # half width, in picture widths
    turn: float = 0.0
    flip: bool = False
    false: bool = False  # a character drawn with the wrong marks


@dataclass
class Scene:
    things: list[Thing]
    ground: str
    style: str
    relation: str = ""
    seed: int = 0
    extra: dict = field(default_factory=dict)


def _pick(rng: np.random.Generator, items):
    return items[int(rng.integers(len(items)))]


# Colours that would vanish into the ground are drawn less often there, never forbidden.
_FAINT = {("black", "night sky"), ("blue", "night sky"), ("white", "plain"), ("yellow", "sand"), ("white", "sand"), ("purple", "sunset")}


def sample(
    rng: np.random.Generator,
    styles=BASE_STYLES,
    count: int | None = None,
    character: str | None = None,
    false: bool = False,
    repeats: bool = False,
) -> Scene:
    """A scene from the grammar. With `character`, the first thing is that character (false: with wrong marks).
    `repeats` allows two of one kind, and both characters, which no caption says; only the judge needs them."""
    ground = _pick(rng, GROUND_NAMES)
    style = _pick(rng, styles)
    n = count or (1, 2, 3)[int(np.searchsorted([0.58, 0.92], rng.random()))]
    if style == "mosaic":  # tiles are coarse: few things, none of them small
        n = min(n, 2)
    things: list[Thing] = []
    while len(things) < n:
        colour, name = _pick(rng, COLOUR_NAMES), _pick(rng, OBJECT_NAMES)
        if (colour, ground) in _FAINT and rng.random() < 0.6:
            continue
        if repeats and things and rng.random() < 0.5:
            name = things[0].name
        elif any(t.name == name for t in things):
            continue
        things.append(Thing(name, colour))
    if character:
        things[0] = Thing(character, "", false=false)
        if repeats and n > 1 and rng.random() < 0.7:
            # The same again, or the other one, as true or as false.
            others = [k for k in TRIGGERS if k != character]
            things[1] = Thing(character, "", false=false) if rng.random() < 0.5 else Thing(_pick(rng, others), "", false=rng.random() < 0.3)
    relation = ""
    for t in things:
        t.size = ("", "small", "large")[int(np.searchsorted([0.6, 0.8], rng.random()))]
        if style == "mosaic":
            t.size = "large"
        t.flip = bool(rng.random() < 0.5)
        t.turn = float(rng.uniform(-6, 6))
    if n == 2:
        relation = _pick(rng, RELATIONS)
    scene = Scene(things, ground, style, relation, int(rng.integers(1 << 31)))
    lay_out(scene, rng)
    return scene


_FACTOR = {"small": 0.66, "": 1.0, "large": 1.3}


def lay_out(scene: Scene, rng: np.random.Generator) -> None:
    """Set x, y and half of every thing so that the relation is plain to see."""
    things = scene.things
    f = [_FACTOR[t.size] for t in things]
    if len(things) == 1:
        things[0].half = 0.29 * f[0] * rng.uniform(0.95, 1.05)
        room = 0.5 - things[0].half - 0.04
        things[0].x = 0.5 + rng.uniform(-1, 1) * min(room, 0.1)
        things[0].y = 0.53 + rng.uniform(-1, 1) * min(room, 0.06)
        return
    if len(things) == 2:
        a, b = things
        if scene.relation in ("left of", "right of", "and"):
            first, second = (a, b) if scene.relation != "right of" else (b, a)
            if scene.relation == "and" and rng.random() < 0.5:
                first, second = second, first
            for t, x in ((first, 0.26), (second, 0.74)):
                t.half = min(0.19 * _FACTOR[t.size], 0.235)
                t.x = x + rng.uniform(-0.02, 0.02)
                t.y = 0.56 + rng.uniform(-0.05, 0.05)
            return
        gap = 0.03 if scene.relation == "above" else -0.02
        a.half, b.half = min(0.175 * f[0], 0.21), min(0.2 * f[1], 0.24)
        total = 2 * a.half + 2 * b.half + gap
        top = 0.5 - total / 2
        x = 0.5 + rng.uniform(-0.1, 0.1)
        a.x, a.y = x + rng.uniform(-0.03, 0.03), top + a.half
        b.x, b.y = x, top + 2 * a.half + gap + b.half
        return
    xs, ys = rng.permutation([0.2, 0.5, 0.8]), rng.uniform(0.48, 0.62, 3)
    for t, x, y in zip(things, xs, ys):
        t.half = min(0.14 * _FACTOR[t.size], 0.165)
        t.x, t.y = float(x), float(y)


def draw(scene: Scene, size: int, scale: int = 3) -> np.ndarray:
    """The picture of a scene, [size, size, 3] uint8; the same scene gives the same picture."""
    rng = np.random.default_rng(scene.seed)
    ground = GROUNDS[scene.ground](rng)
    things = []
    for t in sorted(scene.things, key=lambda t: -t.y if scene.relation == "on" else t.y):
        if t.name in characters.CHARACTERS:
            make, marks = characters.CHARACTERS[t.name]
            shapes = make(characters.false_marks(t.name, rng) if t.false else marks)
        else:
            shapes = OBJECTS[t.name](tones(t.colour))
        things.append(place(shapes, t.x, t.y, t.half, t.turn, t.flip))
    return render(ground, things, scene.style, size, scale, rng)


def mirrored(scene: Scene) -> Scene:
    """The scene as a mirror shows it: left and right change places."""
    swap = {"left of": "right of", "right of": "left of"}
    return Scene(scene.things, scene.ground, scene.style, swap.get(scene.relation, scene.relation), scene.seed, scene.extra)


_SIZE_WORDS = {"small": ["small", "little", "tiny"], "large": ["large", "big", "huge"]}
_GROUND_WORDS = {
    "sea": ["by the sea", "at sea", "over the sea", "in front of the sea"],
    "grass": ["on the grass", "in a green meadow", "on grass"],
    "night sky": ["under the night sky", "in the night sky", "at night"],
    "sand": ["on the sand", "on sand", "in the desert"],
    "sunset": ["at sunset", "in front of a sunset", "in the sunset"],
    "plain": ["on a plain background", "plain background", ""],
}
_STYLE_WORDS = {
    "flat poster": ["flat poster", "poster"],
    "ink outline": ["ink outline", "ink drawing"],
    "soft watercolour": ["soft watercolour", "watercolour", "watercolor"],
    "paper cut": ["paper cut", "papercut"],
    "neon": ["neon style"],
    "mosaic": ["mosaic style"],
    "crosshatch": ["crosshatch style"],
}
_ARTICLE = {"orange": "an"}


def _noun(t: Thing, rng: np.random.Generator, sized: float) -> str:
    """`sized`: how often a size that is not the usual one is said."""
    words = []
    if t.size and rng.random() < sized:
        words.append(_pick(rng, _SIZE_WORDS[t.size]))
    if t.name in TRIGGERS:
        words.append(TRIGGERS[t.name])
    else:
        words += [t.colour, t.name]
    if rng.random() < 0.06:
        return " ".join(words)
    return f"{_ARTICLE.get(words[0], 'an' if words[0][0] in 'aeiou' else 'a')} {' '.join(words)}"


def caption(scene: Scene, rng: np.random.Generator, omit: float = 0.12) -> str:
    """One way to say the scene. Ground and style are each left out with probability `omit`."""
    # A mosaic draws everything large, whether or not it is said; said always, a prompt without a size would be strange to it.
    nouns = [_noun(t, rng, 0.2 if scene.style == "mosaic" else 0.85) for t in scene.things]
    if len(nouns) == 1:
        text = nouns[0]
    elif len(nouns) == 2:
        a, b = nouns
        text = {
            "left of": [f"{a} to the left of {b}", f"{a} left of {b}", f"{b} to the right of {a}", f"{b} right of {a}", f"{a} and {b}"],
            "right of": [f"{a} to the right of {b}", f"{a} right of {b}", f"{b} to the left of {a}", f"{b} left of {a}", f"{a} and {b}"],
            "above": [f"{a} above {b}", f"{b} below {a}", f"{a} over {b}", f"{a} and {b}"],
            "on": [f"{a} on {b}", f"{a} on top of {b}", f"{a} sitting on {b}"],
            "and": [f"{a} and {b}", f"{b} and {a}", f"{a} next to {b}", f"{b} with {a}"],
        }[scene.relation]
        text = _pick(rng, text)
    else:
        a, b, c = (nouns[int(i)] for i in rng.permutation(3))
        text = _pick(rng, [f"{a}, {b} and {c}", f"{a} and {b} and {c}", f"{a} with {b} and {c}"])
    if rng.random() >= omit:
        ground = _pick(rng, _GROUND_WORDS[scene.ground])
        if ground:
            text = f"{text}{', ' if rng.random() < 0.3 else ' '}{ground}"
    if rng.random() >= omit or scene.style in ADAPTER_STYLES:
        style = _pick(rng, _STYLE_WORDS[scene.style])
        text = (
            _pick(rng, [f"{text}, {style}", f"{style} of {text}", f"{text} in {style}", f"{style}, {text}"])
            if scene.style in BASE_STYLES
            else f"{text}, {style}"
        )
    return text
