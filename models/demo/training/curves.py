"""The losses of every stage as one picture: python curves.py curves.png"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from common import HERE, arguments


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=HERE / "curves.png")
    args = parser.parse_args()
    logs = sorted(args.runs.glob("*.log.jsonl"))
    columns = 3
    figure, axes = plt.subplots(-(-len(logs) // columns), columns, figsize=(12, 3 * -(-len(logs) // columns)), squeeze=False)
    for axis in axes.flat[len(logs) :]:
        axis.axis("off")
    for axis, log in zip(axes.flat, logs):
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        runs: list[list[tuple[int, float]]] = [[]]
        for r in (r for r in rows if "loss" in r):
            if runs[-1] and r["step"] <= runs[-1][-1][0]:  # an adapter that goes on counts from nothing again
                runs.append([])
            runs[-1].append((r["step"], r["loss"]))
        for k, losses in enumerate(runs):
            axis.plot(*zip(*losses), color="#3468c4", linewidth=1.2, alpha=0.35 + 0.65 * (k + 1) / len(runs))
        axis.set_title(log.name.removesuffix(".log.jsonl"), loc="left")
        axis.set_yscale("log")
        axis.set_xlabel("step")
        axis.grid(alpha=0.25, which="both")
        measured = [(r["step"], r["psnr"]) for r in rows if "psnr" in r]
        if measured:
            other = axis.twinx()
            other.plot(*zip(*measured), color="#d63934", marker="o", markersize=3)
            other.set_ylabel("PSNR, dB")
    figure.tight_layout()
    figure.savefig(args.path, dpi=90)


if __name__ == "__main__":
    main()
