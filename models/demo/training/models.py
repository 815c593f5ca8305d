"""The networks, made from config.json with the diffusers and transformers classes that load them."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel

END_OF_TEXT = 49407


def make_vae(config: dict, size: int) -> AutoencoderKL:
    c = config["vae"]
    levels = len(c["channels"])
    return AutoencoderKL(
        block_out_channels=tuple(c["channels"]),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=c["layers_per_block"],
        latent_channels=c["latent_channels"],
        norm_num_groups=c["groups"],
        sample_size=size,
        scaling_factor=1.0,
    ).to(memory_format=torch.channels_last)


def make_text(config: dict) -> CLIPTextModel:
    c = config["text"]
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=c["hidden_size"],
            intermediate_size=c["intermediate_size"],
            num_hidden_layers=c["layers"],
            num_attention_heads=c["heads"],
            max_position_embeddings=c["positions"],
            hidden_act="quick_gelu",
            projection_dim=c["hidden_size"],
            bos_token_id=49406,
            eos_token_id=END_OF_TEXT,
            pad_token_id=END_OF_TEXT,
        )
    )


def make_unet(config: dict, latent_size: int) -> UNet2DConditionModel:
    c = config["unet"]
    unet = UNet2DConditionModel(
        sample_size=latent_size,
        in_channels=config["vae"]["latent_channels"],
        out_channels=config["vae"]["latent_channels"],
        block_out_channels=tuple(c["channels"]),
        layers_per_block=c["layers_per_block"],
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in c["attention"]),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(c["attention"])),
        # diffusers reads attention_head_dim as the number of heads
        attention_head_dim=tuple(c["heads"]),
        cross_attention_dim=config["text"]["hidden_size"],
        norm_num_groups=c["groups"],
    )
    return unet.to(memory_format=torch.channels_last)


def plain_attention(unet: UNet2DConditionModel) -> None:
    """Attention by two matrix products: on a CPU its backward pass is much faster than the fused one's."""
    unet.set_attn_processor(AttnProcessor())


def make_scheduler(config: dict) -> DDIMScheduler:
    n = config["noise"]
    return DDIMScheduler(
        num_train_timesteps=n["steps"],
        beta_start=n["beta_start"],
        beta_end=n["beta_end"],
        beta_schedule=n["beta_schedule"],
        prediction_type=n["prediction_type"],
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
