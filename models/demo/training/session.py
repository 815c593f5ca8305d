"""All stages in one bounded command, for a machine that is lent for minutes.

  python session.py --preset gpu --minutes 9.5 --out OUT              from nothing: draw, VAE, latents, text, UNet
  python session.py --preset gpu --minutes 9.5 --out OUT --from IN    on from what an earlier session left in IN

Whatever was reached when the minutes end is packed into OUT (see carry.py): each file is at most 15 MB.
Stages that find their result already made are skipped or go on from it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from carry import pack, unpack
from common import HERE, Clock, arguments


def stage(*command: str) -> None:
    print("==", " ".join(command), flush=True)
    subprocess.run([sys.executable, *command], cwd=HERE, check=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--vae-minutes", type=float, default=3.5)
    parser.add_argument("--cool", action="store_true", help="the last session: let the learning rate fall to zero")
    args = parser.parse_args()
    clock = Clock(args.minutes)
    data, runs, out = args.data.resolve(), args.runs.resolve(), args.out.resolve()
    common = ["--preset", args.preset, "--data", str(data), "--runs", str(runs)]

    def left(reserve: float) -> str:
        return f"{max(0.1, (clock.limit - clock.spent()) / 60 - reserve):.2f}"

    try:
        if args.source and not (runs / "vae.pt").exists():
            unpack(args.source.resolve(), runs)
        stage(
            "draw.py",
            "cache",
            *common,
            "--split",
            "base",
            "--split",
            "extra",
            "--split",
            "held",
            "--split",
            "held-extra",
            "--workers",
            str(os.cpu_count()),
            "--minutes",
            left(1),
        )
        if not (runs / "unet.pt").exists():  # the encoder may still change: no latent depends on it yet
            stage("vae.py", "train", *common, "--minutes", f"{min(args.vae_minutes, float(left(2)))}")
            stage("vae.py", "settle", *common)
        stage("vae.py", "measure", *common)
        stage("vae.py", "encode", *common)
        if not (runs / "text.pt").exists():
            stage("text.py", *common, "--minutes", f"{min(1.0, float(left(1.5)))}")
        compiled = ["--compile"] if args.preset != "smoke" else []
        stage("unet.py", *common, "--joint", *compiled, *(["--cool"] if args.cool else []), "--minutes", left(0.6))
    finally:
        pack(runs, out)
        print(f"packed after {clock.spent():.0f} s", flush=True)


if __name__ == "__main__":
    main()
