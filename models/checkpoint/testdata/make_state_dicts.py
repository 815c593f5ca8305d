"""Records the tensors of the published networks as diffusers and transformers build them: how many there are, their
parameters, and the SHA-256 of one line `name side,side` each, sorted. No weight is made (meta device).

    python models/checkpoint/testdata/make_state_dicts.py
"""

import hashlib
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
UP_CROSS, UP_PLAIN = "CrossAttnUpBlock2D", "UpBlock2D"

SD1 = {
    "cross_attention_dim": 768, "attention_head_dim": 8, "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": (CROSS, CROSS, CROSS, PLAIN), "up_block_types": (UP_PLAIN, UP_CROSS, UP_CROSS, UP_CROSS),
}
SD2 = {**SD1, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
SDXL = {
    "cross_attention_dim": 2048, "attention_head_dim": (5, 10, 20), "block_out_channels": (320, 640, 1280),
    "down_block_types": (PLAIN, CROSS, CROSS), "up_block_types": (UP_CROSS, UP_CROSS, UP_PLAIN),
    "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}
ODD = {
    "cross_attention_dim": 24, "attention_head_dim": 2, "block_out_channels": (8, 16), "layers_per_block": (1, 3),
    "down_block_types": (CROSS, PLAIN), "up_block_types": (UP_CROSS, UP_CROSS), "mid_block_type": "UNetMidBlock2D",
    "norm_num_groups": 4, "time_cond_proj_dim": 10, "in_channels": 9,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}
BARE_VAE = {
    **VAE, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False, "mid_block_add_attention": False,
}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 768}
BIG_G = {
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
    "projection_dim": 1280, "hidden_act": "gelu",
}

NETWORKS = {
    "sd1": (UNet2DConditionModel, SD1),
    "sd2": (UNet2DConditionModel, SD2),
    "sdxl": (UNet2DConditionModel, SDXL),
    "odd": (UNet2DConditionModel, ODD),
    "vae": (AutoencoderKL, VAE),
    "bare-vae": (AutoencoderKL, BARE_VAE),
    "clip-l": (CLIPTextModel, CLIP_L),
    "big-g": (CLIPTextModelWithProjection, BIG_G),
}


def record(model_class, config: dict) -> dict:
    with torch.device("meta"):
        model = model_class(CLIPTextConfig(**config)) if "hidden_size" in config else model_class(**config)
    state = {key.removeprefix("text_model."): value for key, value in model.state_dict().items() if "position_ids" not in key}
    lines = sorted(f"{key} {','.join(map(str, value.shape))}" for key, value in state.items())
    # JSON has the config as its folder's config.json would.
    return {
        "config": {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()},
        "tensors": len(state),
        "parameters": sum(value.numel() for value in state.values()),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


recorded = {name: record(*network) for name, network in NETWORKS.items()}
Path(__file__).with_name("state-dicts.json").write_text(json.dumps(recorded, indent=2) + "\n")
