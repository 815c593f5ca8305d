"""Draw prompts with the networks in hand, batched: for looking at a run in progress and for scoring it."""

from __future__ import annotations

import numpy as np
import torch

from common import autocast, device
from tokenizer import encode


@torch.no_grad()
def draw_prompts(
    prompts, tokenizer, text, unet, vae, scheduler, steps=20, guidance=4.0, seed=0, batch=50, generator_per_prompt=True
) -> np.ndarray:
    """uint8 [n, size, size, 3]. Picture k starts from noise seeded with seed + k; guidance 1 runs one row a step."""
    dev, out = device(), []
    side = unet.config.sample_size
    empty = text(encode(tokenizer, [""]).to(dev)).last_hidden_state
    for start in range(0, len(prompts), batch):
        some = prompts[start : start + batch]
        hidden = text(encode(tokenizer, some).to(dev)).last_hidden_state
        z = torch.cat(
            [torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(seed + start + k)) for k in range(len(some))]
        ).to(dev)
        scheduler.set_timesteps(steps)
        for t in scheduler.timesteps:
            with autocast():
                if guidance != 1:
                    rows = torch.cat([empty.expand(len(some), -1, -1), hidden])
                    u, c = unet(torch.cat([z, z]), t.to(dev), rows).sample.float().chunk(2)
                    prediction = u + guidance * (c - u)
                else:
                    prediction = unet(z, t.to(dev), hidden).sample.float()
            z = scheduler.step(prediction, t, z).prev_sample
        pictures = vae.decode(z / vae.config.scaling_factor).sample.clamp(-1, 1)
        out.append(((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(out)


def contact_sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    n, h, w, c = pictures.shape
    rows = -(-n // columns)
    pad = np.full((rows * columns - n, h, w, c), 255, np.uint8)
    grid = np.concatenate([pictures, pad]).reshape(rows, columns, h, w, c)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, c)
