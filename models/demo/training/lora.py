"""Small adapters on the UNet and text encoder, and the file formats in which people share them.

`attach` adds trainable low-rank terms to chosen layers without touching the base weights; `write` saves them as kohya keys
(`lora_unet_..., lora_te_..., .alpha`), as PEFT keys (`unet.<module>.lora_A.weight`), or as LoHa (`.hada_w1_a` ...).
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

TRANSFORMER = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")
CONVOLUTION = ("conv1", "conv2")
TEXT = ("q_proj", "v_proj", "out_proj", "fc1", "fc2")


class LowRank(nn.Module):
    """delta W = (alpha / rank) up . down; for a convolution, down has its kernel and up is 1 x 1 (LoCon)."""

    def __init__(self, base: nn.Linear | nn.Conv2d, rank: int, alpha: float):
        super().__init__()
        self.scale, self.rank, self.alpha = alpha / rank, rank, alpha
        if isinstance(base, nn.Conv2d):
            self.down = nn.Conv2d(base.in_channels, rank, base.kernel_size, base.stride, base.padding, bias=False)
            self.up = nn.Conv2d(rank, base.out_channels, 1, bias=False)
        else:
            self.down, self.up = nn.Linear(base.in_features, rank, bias=False), nn.Linear(rank, base.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(x)) * self.scale

    def kohya(self) -> dict[str, torch.Tensor]:
        return {"lora_down.weight": self.down.weight, "lora_up.weight": self.up.weight, "alpha": torch.tensor(self.alpha)}


class Hadamard(nn.Module):
    """LoHa: delta W = (alpha / rank) (w1_a w1_b) * (w2_a w2_b), element by element; a convolution's is [out, in * height * width]."""

    def __init__(self, base: nn.Linear | nn.Conv2d, rank: int, alpha: float):
        super().__init__()
        o, i = base.weight.flatten(1).shape
        self.shape, self.convolution = base.weight.shape, isinstance(base, nn.Conv2d)
        self.place = {"stride": base.stride, "padding": base.padding} if self.convolution else {}
        self.scale, self.rank, self.alpha = alpha / rank, rank, alpha
        # As LyCORIS begins: with w2_b a tenth of that, the change grows so slowly that it seems to stand still.
        self.w1_a, self.w1_b = nn.Parameter(torch.randn(o, rank) * 0.1), nn.Parameter(torch.randn(rank, i))
        self.w2_a, self.w2_b = nn.Parameter(torch.zeros(o, rank)), nn.Parameter(torch.randn(rank, i))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = (self.w1_a @ self.w1_b) * (self.w2_a @ self.w2_b) * self.scale
        return F.conv2d(x, weight.view(self.shape), **self.place) if self.convolution else F.linear(x, weight)

    def kohya(self) -> dict[str, torch.Tensor]:
        return {f"hada_{k}": v for k, v in self.named_parameters()} | {"alpha": torch.tensor(self.alpha)}


class Adapter(nn.Module):
    """Terms by the module path they belong to; `enabled` switches all of them at once."""

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[str, nn.Module] = {}
        self.enabled = True
        self._hooks: list = []

    def attach(
        self,
        model: nn.Module,
        prefix: str,
        endings: tuple[str, ...],
        rank: int,
        alpha: float,
        kind=LowRank,
        blocks: tuple[str, ...] = ("",),
    ) -> None:
        """A term at every layer of `blocks` whose name so ends, and that has none yet."""
        for name, layer in model.named_modules():
            if not name.endswith(endings) or not name.startswith(blocks) or not isinstance(layer, nn.Linear | nn.Conv2d):
                continue
            if f"{prefix}.{name}" not in self.terms:
                self.add(f"{prefix}.{name}", layer, kind(layer, rank, alpha))

    def add(self, path: str, layer: nn.Module, term: nn.Module) -> None:
        term.to(layer.weight.device)
        self.terms[path] = term
        self.add_module(path.replace(".", "_"), term)
        self._hooks.append(layer.register_forward_hook(lambda _, inputs, out: out + term(inputs[0]) if self.enabled else out))

    def detach(self) -> None:
        for hook in self._hooks:
            hook.remove()


def write(adapter: Adapter, path: Path, keys: str, metadata: dict[str, str]) -> None:
    tensors: dict[str, torch.Tensor] = {}
    for name, term in adapter.terms.items():
        prefix, module = name.split(".", 1)
        if keys == "kohya":
            base = {"unet": "lora_unet_", "text_encoder": "lora_te_"}[prefix] + _text_path(prefix, module).replace(".", "_")
            tensors |= {f"{base}.{k}": v for k, v in term.kohya().items()}
        else:
            assert isinstance(term, LowRank) and term.alpha == term.rank, "these keys hold no alpha"
            base = f"{prefix}.{_text_path(prefix, module)}"
            tensors |= {f"{base}.lora_A.weight": term.down.weight, f"{base}.lora_B.weight": term.up.weight}
    if keys == "peft":
        metadata = metadata | {"format": "pt"}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().cpu().to(torch.float16).contiguous() for k, v in tensors.items()}, str(path), metadata)


def read(path: Path, unet: nn.Module, text: nn.Module) -> Adapter:
    """Attach a file that `write` made."""
    tensors, adapter = load_file(str(path)), Adapter()
    for prefix, model in (("unet", unet), ("text_encoder", text)):
        for name, layer in model.named_modules():
            if not isinstance(layer, nn.Linear | nn.Conv2d):
                continue
            module = _text_path(prefix, name)
            kohya = {"unet": "lora_unet_", "text_encoder": "lora_te_"}[prefix] + module.replace(".", "_")
            if f"{kohya}.lora_down.weight" in tensors:
                down, up, alpha = (tensors[f"{kohya}.{k}"] for k in ("lora_down.weight", "lora_up.weight", "alpha"))
                term = LowRank(layer, down.shape[0], float(alpha))
                term.down.weight.data, term.up.weight.data = down.float(), up.float()
            elif f"{kohya}.hada_w1_a" in tensors:
                term = Hadamard(layer, tensors[f"{kohya}.hada_w1_b"].shape[0], float(tensors[f"{kohya}.alpha"]))
                for k, v in term.named_parameters():
                    v.data = tensors[f"{kohya}.hada_{k}"].float()
            elif f"{prefix}.{module}.lora_A.weight" in tensors:
                down, up = (tensors[f"{prefix}.{module}.lora_{k}.weight"] for k in "AB")
                term = LowRank(layer, down.shape[0], down.shape[0])
                term.down.weight.data, term.up.weight.data = down.float(), up.float()
            else:
                continue
            adapter.add(f"{prefix}.{name}", layer, term.requires_grad_(False))
    return adapter


def _text_path(prefix: str, module: str) -> str:
    """Files name the text encoder's layers below `text_model.`, whatever this version of transformers calls them."""
    return f"text_model.{module}" if prefix == "text_encoder" and not module.startswith("text_model.") else module
