"""Move training between machines: the averaged weights in fp16 are all that is kept.

  python carry.py resume            make the runs folder's checkpoints from the exported model (../unet, ../vae, ../text_encoder)
  python carry.py pack FOLDER       the averaged weights in files of at most 15 MB, with logs and the last sheet of samples
  python carry.py unpack FOLDER     the other way round

Optimiser states are left behind: Adam finds its moments again within the first hundred steps, under the warm-up.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from common import HERE, arguments, load_state, save_state

PIECE = 15_000_000


def collect(runs: Path) -> dict[str, torch.Tensor]:
    unet, vae = load_state(runs / "unet.pt"), load_state(runs / "vae.pt")
    parts = {"vae": vae["ema"] if vae else {}, "unet": unet["ema"] if unet else {}, "text": (unet or load_state(runs / "text.pt"))["text"]}
    tensors = {f"{part}/{k}": v.half().contiguous() for part, weights in parts.items() for k, v in weights.items()}
    steps = [state["step"] if state else 0 for state in (unet, vae)]
    return tensors | {"steps": torch.tensor(steps)}


def restore(tensors: dict[str, torch.Tensor], runs: Path) -> None:
    def part(name: str) -> dict[str, torch.Tensor]:
        return {k.split("/", 1)[1]: v.float() if v.is_floating_point() else v for k, v in tensors.items() if k.startswith(f"{name}/")}

    unet_steps, vae_steps = tensors["steps"].tolist()
    unet, vae, text = part("unet"), part("vae"), part("text")
    if vae:
        save_state(runs / "vae.pt", vae=vae, ema=vae, step=vae_steps)
    save_state(runs / "text.pt", text=text, step=0)
    if unet:
        save_state(runs / "unet.pt", unet=unet, ema=unet, text=text, step=unet_steps)


def resume(folder: Path, runs: Path) -> None:
    tensors = {"steps": torch.tensor([0, 0])}
    for part, name in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
        weights = load_file(str(folder / part / f"{name}.safetensors"))
        tensors |= {f"{part.removesuffix('_encoder')}/{k.removeprefix('text_model.')}": v for k, v in weights.items()}
    restore(tensors, runs)


def pack(runs: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pieces: list[dict[str, torch.Tensor]] = [{}]
    for name, tensor in collect(runs).items():
        if sum(t.nbytes for t in pieces[-1].values()) + tensor.nbytes > PIECE:
            pieces.append({})
        pieces[-1][name] = tensor
    for k, piece in enumerate(pieces):
        save_file(piece, str(folder / f"weights-{k}.safetensors"))
    looks = sorted(runs.glob("look-[0-9]*.png"))
    if looks:
        shutil.copy(looks[-1], folder / "look.png")
    (folder / "losses.jsonl").write_text(
        "".join(
            f'{{"stage": "{log.name.split(".")[0]}", {row[1:]}\n'
            for log in sorted(runs.glob("*.log.jsonl"))
            for row in log.read_text().splitlines()
        )
    )


def unpack(folder: Path, runs: Path) -> None:
    tensors: dict[str, torch.Tensor] = {}
    for piece in sorted(folder.glob("weights-*.safetensors")):
        tensors |= load_file(str(piece))
    restore(tensors, runs)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["resume", "pack", "unpack"])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent)
    args = parser.parse_args()
    if args.what == "resume":
        resume(args.folder, args.runs)
    elif args.what == "pack":
        pack(args.runs, args.folder)
    else:
        unpack(args.folder, args.runs)


if __name__ == "__main__":
    main()
