"""One UNet step of SD1.5 at 512x512 in diffusers on this CPU: a figure to stand beside ours. Prints one JSON line.

    python bench/torch_step.py [rounds]
"""
import json
import sys
import time

import torch

from torch_sd15 import sd15_unet

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
unet = sd15_unet().eval()
sample, context = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 768)
times = []
with torch.no_grad():
    unet(sample, 500, context)
    for _ in range(rounds):
        began = time.perf_counter()
        unet(sample, 500, context)
        times.append(time.perf_counter() - began)
print(json.dumps({"secondsPerStep": sorted(times)[len(times) // 2], "torch": torch.__version__, "threads": torch.get_num_threads()}))
