"""Writes pillow-lanczos.json: what Pillow makes of a small picture by Image.resize(..., LANCZOS).

Run where Pillow is installed: python pillow_lanczos.py
"""

import base64
import json
import pathlib

import PIL
from PIL import Image

WIDTH, HEIGHT = 13, 11
SIZES = [(5, 4), (13, 30), (29, 11), (26, 22), (40, 7), (3, 40), (1, 1), (12, 9), (12, 8), (11, 7), (12, 5)]


def samples(channels: int) -> bytes:
    return bytes((i * 73 + i * i * 7) % 256 for i in range(WIDTH * HEIGHT * channels))


cases = []
for mode, channels in (("RGB", 3), ("L", 1)):
    picture = Image.frombytes(mode, (WIDTH, HEIGHT), samples(channels))
    for width, height in SIZES:
        resized = picture.resize((width, height), Image.LANCZOS).tobytes()
        cases.append(
            {"channels": channels, "width": width, "height": height, "pixels": base64.b64encode(resized).decode()}
        )

target = pathlib.Path(__file__).with_name("pillow-lanczos.json")
target.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=2) + "\n")
