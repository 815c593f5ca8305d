"""How a list of shapes becomes a picture: four styles of the base, and three that only adapters learn.

Each painter draws on a Skia canvas of `n` pixels a side; `render` reduces the result to the picture's size.
"""

from __future__ import annotations

import numpy as np
import skia
from PIL import Image

from .grounds import Ground
from .palette import INK, PAPER, RGB, luma, mix, shift
from .shapes import Shape, place, rect

BASE_STYLES = ["flat poster", "ink outline", "soft watercolour", "paper cut"]
ADAPTER_STYLES = ["neon", "mosaic", "crosshatch"]
STYLES = BASE_STYLES + ADAPTER_STYLES


def _c(c: RGB, alpha: float = 1.0) -> int:
    r, g, b = (int(max(0, min(255, round(v)))) for v in c)
    return skia.ColorSetARGB(int(alpha * 255), r, g, b)


def _fill(c: RGB, alpha: float = 1.0, **more) -> skia.Paint:
    return skia.Paint(Color=_c(c, alpha), AntiAlias=True, **more)


def _stroke(c: RGB, width: float, alpha: float = 1.0, **more) -> skia.Paint:
    return skia.Paint(
        Color=_c(c, alpha), AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap, StrokeJoin=skia.Paint.kRound_Join, **more,
    )  # fmt: skip


def _sky(canvas: skia.Canvas, n: int, top: RGB, bottom: RGB) -> None:
    shader = skia.GradientShader.MakeLinear([(0, 0), (0, n * 0.75)], [_c(top), _c(bottom)])
    canvas.drawPaint(skia.Paint(Shader=shader, Dither=True))


def _moved(path: skia.Path, dx: float, dy: float) -> skia.Path:
    p = skia.Path(path)
    p.offset(dx, dy)
    return p


def flat_poster(canvas, n, ground: Ground, back: list[Shape], things: list[list[Shape]], rng) -> None:
    """Bold flat forms; a lit side and a shaded side, no outline."""
    _sky(canvas, n, ground.top, ground.bottom)
    for s in back:
        canvas.drawPath(s.path, _stroke(s.colour, s.width) if s.kind == "line" else _fill(s.colour))
    for shapes in things:
        for s in shapes:
            if s.kind == "line":
                canvas.drawPath(s.path, _stroke(s.colour, s.width))
                continue
            canvas.drawPath(s.path, _fill(s.colour))
            if s.kind == "body":
                b = s.path.getBounds()
                dark = mix(shift(s.colour, 0, 1.05, 0.84), (70, 50, 120), 0.08)
                crescent = skia.Op(s.path, _moved(s.path, -0.09 * b.width(), -0.07 * b.height()), skia.PathOp.kDifference_PathOp)
                canvas.drawPath(crescent, _fill(dark))


def ink_outline(canvas, n, ground: Ground, back, things, rng) -> None:
    """A pen drawing on paper; tints printed a little out of register."""
    canvas.drawPaint(_fill(PAPER))
    night = luma(ground.top) < 0.35
    tint = 0.12 if night else 0.5
    _sky(canvas, n, mix(ground.top, PAPER, tint), mix(ground.bottom, PAPER, tint))
    seed = int(rng.integers(1 << 20))
    wobble = skia.PathEffect.MakeCompose(skia.CornerPathEffect.Make(n * 0.02), skia.DiscretePathEffect.Make(n * 0.03, n * 0.0022, seed))
    w = n * 0.0115
    for s in back:
        if s.kind == "line":
            canvas.drawPath(s.path, _stroke(INK, w * 0.6))
            continue
        canvas.drawPath(s.path, _fill(mix(s.colour, PAPER, tint)))
        if s.kind == "body":
            canvas.drawPath(s.path, _stroke(mix(INK, s.colour, 0.25), w * 0.55, PathEffect=wobble))
    for shapes in things:
        for s in shapes:
            if s.kind == "line":
                canvas.drawPath(s.path, _stroke(INK if luma(s.colour) < 0.9 else s.colour, max(w * 0.8, s.width * 0.7)))
            else:
                canvas.drawPath(s.path, _fill(s.colour))
                canvas.drawPath(s.path, _stroke(INK, w * (1.15 if s.kind == "body" else 0.6), PathEffect=wobble))
                if s.kind == "body" and luma(s.colour) < 0.3:  # a light inner line, or black forms would be blots
                    canvas.save()
                    canvas.clipPath(s.path, True)
                    canvas.drawPath(_moved(s.path, n * 0.012, n * 0.012), _stroke(mix(s.colour, PAPER, 0.45), w * 0.5))
                    canvas.restore()


def _bloom(n: int, frequency: float, seed: int, tint: RGB, strength: float) -> skia.Paint:
    """Patches of `tint` where smooth noise is high, as where water pushed the pigment away."""
    noise = skia.PerlinNoiseShader.MakeFractalNoise(frequency, frequency, 2, float(seed % 997))
    r, g, b = (v / 255 for v in tint)
    matrix = [0, 0, 0, 0, r, 0, 0, 0, 0, g, 0, 0, 0, 0, b, 1.7 * strength, 0, 0, 0, -0.55 * strength]
    return skia.Paint(Shader=noise, ColorFilter=skia.ColorFilters.Matrix(matrix))


def soft_watercolour(canvas, n, ground: Ground, back, things, rng) -> None:
    """Washes that pool at their edges and run a little, on white paper that shows at the rim."""
    seed = int(rng.integers(1 << 20))
    canvas.drawPaint(_fill(PAPER))
    canvas.saveLayer(None, skia.Paint(Alphaf=0.84))
    _sky(canvas, n, ground.top, ground.bottom)
    soft = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, n * 0.008)
    for s in back:
        canvas.drawPath(s.path, _stroke(s.colour, s.width) if s.kind == "line" else _fill(s.colour, 0.86, MaskFilter=soft))
    canvas.drawPaint(_bloom(n, 3.5 / n, seed, (255, 253, 246), 0.55))
    canvas.restore()
    wobble = skia.PathEffect.MakeCompose(skia.CornerPathEffect.Make(n * 0.03), skia.DiscretePathEffect.Make(n * 0.05, n * 0.005, seed))
    for shapes in things:
        for s in shapes:
            if s.kind == "line":
                canvas.drawPath(s.path, _stroke(s.colour, s.width, 0.85))
                continue
            effect = wobble if s.kind == "body" else None
            canvas.drawPath(s.path, _fill(PAPER, 0.72, PathEffect=effect))
            light = mix(s.colour, PAPER, 0.16)
            shader = skia.GradientShader.MakeLinear(
                [(0, s.path.getBounds().top()), (0, s.path.getBounds().bottom())], [_c(mix(light, PAPER, 0.16), 0.93), _c(s.colour, 0.93)]
            )
            canvas.drawPath(s.path, skia.Paint(AntiAlias=True, Shader=shader, PathEffect=effect))
            if s.kind == "body":
                canvas.save()
                canvas.clipPath(s.path, True)
                canvas.drawPath(s.path, _stroke(shift(s.colour, 0, 1.1, 0.62), n * 0.02, 0.4, PathEffect=effect, MaskFilter=soft))
                canvas.drawPaint(_bloom(n, 9.0 / n, seed + 7, (255, 250, 240), 0.42))
                canvas.restore()
    rim = rect(0, 0, n, n)
    canvas.drawPath(rim, _stroke(PAPER, n * 0.075, 0.95, PathEffect=wobble, MaskFilter=soft))


def paper_cut(canvas, n, ground: Ground, back, things, rng) -> None:
    """Layers of coloured paper, each with the shadow it throws and a lit edge."""
    _sky(canvas, n, ground.top, mix(ground.top, ground.bottom, 0.6))

    def layer(path, colour, depth):
        blur = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, n * 0.011 * depth)
        canvas.drawPath(_moved(path, n * 0.010 * depth, n * 0.017 * depth), _fill((30, 20, 45), 0.5, MaskFilter=blur))
        canvas.drawPath(path, _fill(colour))
        canvas.save()
        canvas.clipPath(path, True)
        edge = skia.Op(path, _moved(path, n * 0.007, n * 0.007), skia.PathOp.kDifference_PathOp)
        canvas.drawPath(edge, _fill((255, 255, 250), 0.5))
        canvas.restore()

    for s in back:
        if s.kind == "line":
            canvas.drawPath(s.path, _stroke(s.colour, s.width))
        else:
            layer(s.path, s.colour, 0.9 if s.kind == "body" else 0.45)
    for shapes in things:
        for s in shapes:
            if s.kind == "line":
                canvas.drawPath(_moved(s.path, n * 0.004, n * 0.006), _stroke((30, 20, 45), s.width, 0.3))
                canvas.drawPath(s.path, _stroke(s.colour, s.width))
            else:
                layer(s.path, s.colour, 1.15 if s.kind == "body" else 0.4)


def neon(canvas, n, ground: Ground, back, things, rng) -> None:
    """Glowing tubes on a dark wall: every form is an outline of light."""
    canvas.drawPaint(_fill((17, 13, 30)))
    glow = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, n * 0.022)

    def tube(path, colour, width, power=1.0):
        c = shift(colour, 0, 1.25, 1.25) if luma(colour) > 0.25 else (112, 108, 136)
        canvas.drawPath(path, _stroke(c, width * 3.2, 0.5 * power, MaskFilter=glow, BlendMode=skia.BlendMode.kPlus))
        canvas.drawPath(path, _stroke(c, width, power))
        if power > 0.6:
            canvas.drawPath(path, _stroke(mix(c, (255, 255, 255), 0.7), width * 0.35))

    for s in back:
        if s.kind == "body" or s.kind == "line":
            tube(s.path, mix(s.colour, ground.top, 0.2), n * 0.009, 0.42)
        else:
            canvas.drawPath(s.path, _fill(mix(s.colour, (17, 13, 30), 0.86)))
    for shapes in things:
        for s in shapes:
            if s.kind == "body":
                canvas.drawPath(s.path, _fill((17, 13, 30)))
                canvas.drawPath(s.path, _fill(s.colour, 0.22))
                tube(s.path, s.colour, n * 0.017)
            elif s.kind == "mark":
                tube(s.path, s.colour, n * 0.009, 0.8)
            else:
                tube(s.path, s.colour, n * 0.012, 0.8)


def _mosaic(picture: np.ndarray, rng) -> np.ndarray:
    """Tiles of one colour each in grey grout, which is seen on pale grounds and dark ones; as coarse as a factor-4 autoencoder at 128
    pixels keeps (25 across came back from it as plaster). `picture` is [n, n, 3] uint8."""
    n, tiles = picture.shape[0], 18
    cell = n / tiles
    yy, xx = np.mgrid[0:n, 0:n].astype(np.float32)
    jitter = rng.uniform(-0.2, 0.2, (tiles + 2, tiles + 2, 2)).astype(np.float32)
    best = np.full((n, n), 1e9, np.float32)
    second = best.copy()
    owner = np.zeros((n, n), np.int32)
    ci, cj = (yy / cell).astype(int), (xx / cell).astype(int)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            i, j = np.clip(ci + di, 0, tiles - 1), np.clip(cj + dj, 0, tiles - 1)
            dy = np.abs(yy / cell - (i + 0.5 + jitter[i, j, 0]))
            dx = np.abs(xx / cell - (j + 0.5 + jitter[i, j, 1]))
            d = np.maximum(dy, dx) + 0.15 * (dy + dx)
            nearer = d < best
            second = np.where(nearer, best, np.where((d < second) & (d > best), d, second))
            owner = np.where(nearer, i * tiles + j, owner)
            best = np.where(nearer, d, best)
    count = np.maximum(np.bincount(owner.ravel(), minlength=tiles * tiles), 1)
    mean = np.stack([np.bincount(owner.ravel(), picture[..., k].ravel(), tiles * tiles) / count for k in range(3)], -1)
    mean = np.clip(mean * rng.uniform(0.91, 1.08, (tiles * tiles, 1)), 0, 255)
    out = mean[owner]
    grout = (second - best) < 0.16
    out[grout] = (116, 108, 106)
    return out.astype(np.uint8)


def crosshatch(canvas, n, ground: Ground, back, things, rng) -> None:
    """Coloured pencil hatching on white: the darker the form, the more directions of line.

    As coarse as a factor-4 autoencoder at 128 pixels can still tell from a flat tint."""
    paper = (252, 249, 240)
    canvas.drawPaint(_fill(paper))
    seed = int(rng.integers(1 << 20))

    def hatch(path, colour, weight, outline):
        tone = 1 - luma(colour)
        c = mix(colour, INK, 0.12)
        gap = n * 0.07
        passes = 1 + (tone > 0.3) + (tone > 0.6)
        canvas.drawPath(path, _fill(paper))
        canvas.drawPath(path, _fill(colour, 0.22 * weight))
        canvas.save()
        canvas.clipPath(path, True)
        for k in range(passes):
            m = skia.Matrix()
            m.preRotate((45, -45, 0)[k])
            m.preScale(gap, gap)
            effect = skia.Line2DPathEffect.Make(n * 0.023 * weight, m)
            big = skia.Path().addRect(skia.Rect.MakeLTRB(-gap, -gap, n + gap, n + gap))
            canvas.drawPath(big, skia.Paint(Color=_c(c, 0.9), AntiAlias=True, PathEffect=effect))
        canvas.restore()
        if outline:
            canvas.drawPath(
                path, _stroke(mix(colour, INK, 0.55), n * 0.010, PathEffect=skia.DiscretePathEffect.Make(n * 0.03, n * 0.002, seed))
            )

    for s in back:
        if s.kind == "line":
            canvas.drawPath(s.path, _stroke(s.colour, s.width))
        else:
            hatch(s.path, s.colour, 0.6, s.kind == "body")
    for shapes in things:
        for s in shapes:
            if s.kind == "line":
                canvas.drawPath(s.path, _stroke(mix(s.colour, INK, 0.5), s.width))
            elif s.kind == "mark":
                canvas.drawPath(s.path, _fill(s.colour))
                canvas.drawPath(s.path, _stroke(mix(s.colour, INK, 0.5), n * 0.006))
            else:
                hatch(s.path, s.colour, 1.0, True)


_PAINTERS = {
    "flat poster": flat_poster, "ink outline": ink_outline, "soft watercolour": soft_watercolour, "paper cut": paper_cut,
    "neon": neon, "mosaic": flat_poster, "crosshatch": crosshatch,
}  # fmt: skip


def render(ground: Ground, things: list[list[Shape]], style: str, size: int, scale: int, rng: np.random.Generator) -> np.ndarray:
    """Paint at `size * scale` pixels, reduce by area to `size`: returns [size, size, 3] uint8.

    `things` are in picture coordinates [0, 1], back to front.
    """
    n = size * scale
    surface = skia.Surface(n, n)
    canvas = surface.getCanvas()
    back = place(ground.shapes, 0, 0, n)
    front = [place(t, 0, 0, n) for t in things]
    _PAINTERS[style](canvas, n, ground, back, front, rng)
    picture = surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]
    if style == "mosaic":
        picture = _mosaic(picture, rng)
    image = Image.fromarray(np.ascontiguousarray(picture)).reduce(scale) if scale > 1 else Image.fromarray(picture)
    return np.asarray(image)
