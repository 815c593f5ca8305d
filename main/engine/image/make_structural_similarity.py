"""Records scikit-image's SSIM of made-up pictures into structural-similarity.reference.json, for structural-similarity.test.ts.

    python main/engine/image/make_structural_similarity.py

Needs numpy and scikit-image 0.26. The pictures are formulas that the test repeats. Luma is BT.601, the window Gaussian with sigma 1.5
(scikit-image cuts it at 3.5 sigma: 11 x 11), variances those of the population, as in Wang et al. 2004.
"""

import json
import pathlib

import numpy as np
import skimage
from skimage.metrics import structural_similarity

SIZES = [(11, 11), (12, 17), (64, 48)]


def picture(width: int, height: int, change: str) -> np.ndarray:
    """RGB in [0, 1], float32: waves of each channel's own length, then a change."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.float64)
    at = (y * width + x) * 3 + c
    waves = 0.5 + 0.2 * np.sin(x * (0.3 + 0.1 * c)) + 0.2 * np.cos(y * 0.5 - c)
    changed = {
        "none": waves,
        "brighter": waves + 0.1,
        "flatter": 0.5 + 0.3 * (waves - 0.5),
        "noisy": waves + 0.1 * np.sin(at * 12.9898),
        "inverted": 1 - waves,
        "shifted": 0.5 + 0.2 * np.sin((x + 2) * (0.3 + 0.1 * c)) + 0.2 * np.cos(y * 0.5 - c),
        "grey": np.full_like(waves, 0.5),
        "redder": waves * np.array([1, 0.6, 0.6]),
    }[change]
    return changed.astype(np.float32)


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def main() -> None:
    cases = []
    for width, height in SIZES:
        for change in ("none", "brighter", "flatter", "noisy", "inverted", "shifted", "grey", "redder"):
            pair = luma(picture(width, height, "none")), luma(picture(width, height, change))
            ssim = structural_similarity(*pair, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01, K2=0.03)
            cases.append({"width": width, "height": height, "change": change, "ssim": round(float(ssim), 12)})
    body = ",\n".join("    " + json.dumps(case) for case in cases)
    text = f'{{\n  "made": {{ "skimage": "{skimage.__version__}" }},\n  "cases": [\n{body}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("structural-similarity.reference.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
