"""The process group of one trial: where the ranks meet, and over what they talk."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.meeting import environment
from maggy.context.distributed.torch.interface import interface_of

_GLOO_INTERFACE = "GLOO_SOCKET_IFNAME"


class Group:
    """The default process group of torch.distributed, over the workers of a gang, from `Group(...)` to `leave`.

    Rank 0 opens the store at which they meet, on the address at which the others reach it, and on no other. While the
    group lasts the environment has the variables that torchrun sets, for libraries that read them.

    timeout_s  a rank waits for the others for so long, in each collective
    device     where this rank computes

    Raises PeerLostError where another rank does not come, and errors of PyTorch of which `is_peer_error` knows.
    """

    def __init__(self, gang: Gang, device: Any, timeout_s: float) -> None:
        import torch.distributed as dist

        self._gang = gang
        timeout = timedelta(seconds=timeout_s)
        server = _listen(gang.host) if gang.rank == 0 else None
        port = server.getsockname()[1] if server else 0
        parts = gang.gather("meet", gang.host, port, gpu_of(device))
        host, port = str(parts[0][0]), int(parts[0][1])
        self._store: Any = dist.TCPStore(  # type: ignore[attr-defined]
            host,
            port,
            gang.size,
            is_master=server is not None,
            timeout=timeout,
            wait_for_workers=False,
            master_listen_fd=server.detach() if server else None,
        )
        self._environment = environment(_variables(gang, host, port))
        self._environment.__enter__()
        dist.init_process_group(
            backend_for([str(part[2]) for part in parts]),
            store=self._store,
            rank=gang.rank,
            world_size=gang.size,
            timeout=timeout,
        )

    def leave(self) -> None:
        """All ranks part: nobody leaves who is still waited for, and rank 0's store goes last."""
        import torch.distributed as dist

        self._gang.gather("end")
        dist.destroy_process_group()
        self._gang.gather("parted")
        self._store = None
        self._environment.__exit__(None, None, None)


def device_of(gang: Gang) -> Any:
    """This rank's GPU, which is made the current one: the only one that it sees, as a rule; the CPU where it sees none.

    Raises ImportError where PyTorch is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError("training with PyTorch needs it: pip install torch") from error
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", gang.local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def backend_for(gpus: Sequence[str]) -> str:
    """What PyTorch talks over, given the GPU of each rank ("" for none): NCCL where each has one of its own."""
    alone = all(gpu and count == 1 for gpu, count in Counter(gpus).items())
    return "cpu:gloo,cuda:nccl" if alone else "gloo"


def gpu_of(device: Any) -> str:
    """What tells a GPU from all others; "" for a device that is none."""
    import torch

    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""


def _listen(host: str) -> socket.socket:
    return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _variables(gang: Gang, host: str, port: int) -> dict[str, str]:
    variables = {
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "RANK": gang.rank,
        "WORLD_SIZE": gang.size,
        "LOCAL_RANK": gang.local_rank,
        "LOCAL_WORLD_SIZE": gang.local_size,
    }
    interface = interface_of(gang.host)
    if interface is not None and _GLOO_INTERFACE not in os.environ:  # else gloo asks what the host's name stands for
        variables[_GLOO_INTERFACE] = interface
    return {name: str(value) for name, value in variables.items()}
