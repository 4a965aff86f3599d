"""What the tests of PyTorch on two workers have in common.

A file's stories are told by one gang of two processes, one after the other: starting processes takes seconds. Each
returns what the tests below it look at.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from context.distributed.processes import run_gang
from torch import nn
from torch.distributed.tensor import DTensor

from maggy.config import Distribution
from maggy.context.distributed import opened

LEVELS = (0, 1, 3)
"""Of `zero_lvl`: copies, and the two ways of FSDP2."""


class Stories:
    """The stories of a file."""

    def __init__(self) -> None:
        self._told: dict[str, Callable[[Any], Any]] = {}

    def __call__(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        self._told[function.__name__] = function
        return function

    def tell(self) -> dict[str, list[Any]]:
        """What each returned on each rank, by its name."""
        ranks = run_gang(self._tell, 2)
        return {name: [rank[name] for rank in ranks] for name in self._told}

    def _tell(self, gang: Any) -> dict[str, Any]:
        torch.set_num_threads(1)
        return {name: function(gang) for name, function in self._told.items()}


def trial(gang, seed=3, timeout_s=30.0, **how):
    return opened(Distribution(framework="torch", timeout_s=timeout_s, **how), gang, seed=seed, takes_context=True)


class Net(nn.Module):
    """A layer that is large enough to be a unit of FSDP, and what a user's class may have."""

    classes = 3

    def __init__(self, hidden: int = 16, *, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.wide = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh())
        self.head = nn.Linear(hidden, self.classes)
        self.seen = None

    def forward(self, x):
        x = torch.tanh(self.first(x))
        self.seen = x.dtype
        return self.head(self.wide(x))

    def loss(self, x, y):
        return nn.functional.cross_entropy(self(x), y)

    @classmethod
    def double_sized(cls):
        return cls(32)


def net_in_double(hidden=320):
    torch.manual_seed(7)
    return Net(hidden).double()


def batches(dtype=torch.float64, count=6, size=16):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        x = torch.randn(size, 8, generator=generator, dtype=torch.float64).to(dtype)
        yield x, torch.randint(0, 3, (size,), generator=generator)


def part(gang, *tensors):
    return [tensor[gang.rank :: gang.size] for tensor in tensors]


def whole(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def gradients(net):
    return [whole(parameter.grad) for parameter in net.parameters() if parameter.grad is not None]


def apart(ones, others):
    """The largest difference between two lists of tensors or numbers."""
    pairs = zip(ones, others, strict=True)
    with torch.no_grad():
        return max(float((torch.as_tensor(one) - torch.as_tensor(other)).abs().max()) for one, other in pairs)


def sockets():
    """Local addresses of this process's sockets that listen, and how many descriptors it has."""
    mine = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [row.split() for row in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    listening = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine]
    return listening, len(mine)
