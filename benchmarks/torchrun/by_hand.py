"""The training as it is written for torchrun, see `__main__`; rank 0 prints what `fit` returns."""

from __future__ import annotations

import gc
import json

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from benchmarks.torchrun.training import BATCH_SIZE, Net, data, fit


def main() -> None:
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    train, test = (
        DataLoader(part, batch_size=BATCH_SIZE // size, sampler=DistributedSampler(part, shuffle=False))
        for part in data()
    )
    net = DistributedDataParallel(Net())
    told = fit(net, train, test, mean, lambda loss, epoch: print(f"epoch {epoch}: {loss}") if rank == 0 else None)
    if rank == 0:
        print(json.dumps(told), flush=True)
    del net
    gc.collect()  # a process that ends with its DistributedDataParallel aborts now and then
    dist.destroy_process_group()


def mean(total: float, count: int) -> float:
    sums = torch.tensor([total, count], dtype=torch.float64)
    dist.all_reduce(sums)
    return (sums[0] / sums[1]).item()


if __name__ == "__main__":
    main()
