"""Write the diffusers folder (fp16 safetensors) from the averaged weights, and check that diffusers loads it and draws.

python export.py ..          models/demo itself
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from common import HERE, arguments, load_config, load_state
from models import make_scheduler, make_text, make_unet
from sampling import contact_sheet
from tokenizer import write_tokenizer
from vae import load_average


def save_model(model, folder: Path, prefix: str = "") -> None:
    model.to(torch.float16).save_pretrained(str(folder), safe_serialization=True)
    if prefix:
        file = folder / "model.safetensors"
        tensors = load_file(str(file))
        save_file({k if k.startswith(prefix) else prefix + k: v for k, v in tensors.items()}, str(file), {"format": "pt"})
    for config in folder.glob("*.json"):  # fields that only name the machine or version it was made with
        d = json.loads(config.read_text())
        d.pop("_name_or_path", None)
        d.pop("dtype", None)
        if folder.name == "text_encoder":  # or transformers 5 would load it in fp16 beside a UNet in fp32
            d["torch_dtype"] = "float32"
        else:
            d["_diffusers_version"] = "0.30.0"
        config.write_text(json.dumps(d, indent=2) + "\n")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent)
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
    preset, folder = config["presets"][args.preset], args.folder
    side = preset["size"] // 2 ** (len(config["vae"]["channels"]) - 1)
    state = load_state(args.runs / "unet.pt")
    assert state, "train the UNet first"
    unet, text = make_unet(config, side), make_text(config)
    unet.load_state_dict(state["ema"])
    text.load_state_dict(state["text"])
    write_tokenizer(folder / "tokenizer")
    save_model(unet, folder / "unet")
    save_model(text, folder / "text_encoder", "text_model.")  # as every published checkpoint names them
    save_model(load_average(args, config, preset).cpu(), folder / "vae")
    make_scheduler(config).save_pretrained(str(folder / "scheduler"))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    weights = sum(f.stat().st_size for f in folder.glob("*/*.safetensors"))
    print(f"{weights / 1e6:.1f} MB of weights")
    check(folder, args.runs)


def check(folder: Path, runs: Path) -> None:
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(str(folder), torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    prompts = ["a red star by the sea, flat poster", "a blue house on the grass, paper cut"]
    pictures = pipe(
        prompts, num_inference_steps=20, guidance_scale=4.0, generator=torch.Generator().manual_seed(1), output_type="np"
    ).images
    Image.fromarray(contact_sheet((pictures * 255).round().astype("uint8"), 2)).save(runs / "export-check.png")


if __name__ == "__main__":
    main()
