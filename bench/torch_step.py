"""One UNet step of SD1.5 at 512x512 in diffusers on this CPU: a figure to stand beside ours. Prints one JSON line.

    python bench/torch_step.py [rounds]
"""
import json
import sys
import time

import torch
from diffusers import UNet2DConditionModel

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=64,
    block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768,
    attention_head_dim=8,
).eval()
sample, context = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 768)
times = []
with torch.no_grad():
    unet(sample, 500, context)
    for _ in range(rounds):
        began = time.perf_counter()
        unet(sample, 500, context)
        times.append(time.perf_counter() - began)
print(json.dumps({"secondsPerStep": sorted(times)[len(times) // 2], "torch": torch.__version__, "threads": torch.get_num_threads()}))
