"""The same changes of adapters in diffusers, on SD1.5's sizes with random weights: seconds of processor time before the next
step, which does not tell who else uses the machine. Prints one JSON line.

    python bench/torch_adapters.py LORA...
"""
import json
import sys
import time

from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel

from torch_sd15 import sd15_unet

files = sys.argv[1:]
unet = sd15_unet()
text = CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12))
vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=8)
pipe = StableDiffusionPipeline(vae, text, None, unet, DDIMScheduler(), None, None, requires_safety_checker=False)


def seconds(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


names = [f"a{index}" for index in range(len(files))]
found = {
    "load_lora_weights, each": seconds(lambda: [pipe.load_lora_weights(file, adapter_name=name) for file, name in zip(files, names)]) / len(files),
    "set_adapters, other strengths": seconds(lambda: pipe.set_adapters(names, [0.5] * len(names))),
    "set_adapters, another set": seconds(lambda: pipe.set_adapters(names[::2], [0.5] * len(names[::2]))),
    "fuse_lora": seconds(lambda: pipe.fuse_lora(adapter_names=names)),
    "unfuse_lora": seconds(pipe.unfuse_lora),
}
print(json.dumps(found))
