"""Several processes that train one network: each has a part of the batch, and their gradients are averaged every step.

  torchrun --nproc-per-node 2 unet.py ...

On a CPU this is much faster than one process with as many threads, which must meet at every operator. Without `torchrun` a
team has one member and nothing is shared.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist


class Team:
    def __init__(self):
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        self.first = self.rank == 0
        if self.size > 1:
            torch.set_num_threads(1)
            dist.init_process_group("gloo")

    def share(self, weights: list[torch.Tensor], stop: bool) -> bool:
        """Average the gradients of `weights` in place. True, for all members at once, when any of them says `stop`."""
        if self.size == 1:
            return stop
        grads = [w.grad for w in weights if w.grad is not None]
        flat = torch.cat([torch.tensor([float(stop)]), *(g.reshape(-1) for g in grads)])
        dist.all_reduce(flat)
        stop, flat = bool(flat[0] > 0), flat[1:] / self.size
        for g, part in zip(grads, flat.split([g.numel() for g in grads])):
            g.copy_(part.view_as(g))
        return stop
