"""Tensors that are sharded over the ranks of a gang (DTensors, as FSDP2 makes them) in a state that is saved.

The pickle of the state has numbers in their place. Each rank writes a file with its own pieces of them: one pickle
after the other, in order of these numbers, so that nobody needs more than one whole tensor in memory at a time.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cloudpickle

from maggy.errors import CheckpointError


class Piece(NamedTuple):
    """What one rank has of a tensor.

    local  its values, on the CPU
    shape  of the whole tensor
    axis   along which it is sharded; None: every rank has all of it
    device, names  type of device, and names of the dimensions, of the mesh over which it was sharded
    """

    local: Any
    shape: tuple[int, ...]
    axis: int | None
    device: str
    names: tuple[str, ...] | None


def sharded(state: Any, size: int) -> list[Any]:
    """The sharded tensors in a state, each once, in the same order on every rank.

    They are looked for in dicts, lists and tuples.

    size  of the gang

    Raises CheckpointError for one that is not sharded along one axis over the whole gang.
    """
    if "torch.distributed.tensor" not in sys.modules:  # then nobody has made one
        return []
    from torch.distributed.tensor import DTensor

    found: dict[int, Any] = {}
    seen: set[int] = set()

    def look(value: Any) -> None:
        if isinstance(value, DTensor):
            _axis(value, size)
            found.setdefault(id(value), value)
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            for member in value.values() if isinstance(value, dict) else value:
                look(member)

    look(state)
    return list(found.values())


def write_pieces(tensors: Iterable[Any], file: Any, size: int) -> None:
    """Write this rank's pieces."""
    for tensor in tensors:
        mesh = tensor.device_mesh
        piece = Piece(
            tensor.to_local().detach().cpu().clone(),  # without the rest of a storage that it shares
            tuple(tensor.shape),
            _axis(tensor, size),
            mesh.device_type,
            mesh.mesh_dim_names,
        )
        pickle.dump(tuple(piece), file, protocol=5)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles a state with numbers in place of these sharded tensors."""

    def __init__(self, file: Any, tensors: Sequence[Any]) -> None:
        super().__init__(file, protocol=5)
        self._numbers = {id(tensor): number for number, tensor in enumerate(tensors)}
        module = sys.modules.get("torch.distributed.tensor")
        self._kind: Any = () if module is None else module.DTensor

    def persistent_id(self, value: Any) -> int | None:
        number = self._numbers.get(id(value))
        if number is None and isinstance(value, self._kind):
            raise CheckpointError(
                "save_checkpoint was given a tensor that is sharded over several workers within an object of another "
                "kind than dict, list and tuple; save e.g. model.state_dict() and optimizer.state_dict()"
            )
        return number


class Unpickler(pickle.Unpickler):
    """Loads a state.

    shards  files with the pieces of every rank, in order of rank
    spread  shard tensors again, over the processes that now train together, if they do; else they are plain
    """

    def __init__(self, file: Any, shards: Sequence[Any], *, spread: bool) -> None:
        super().__init__(file)
        self._shards, self._spread = shards, spread
        self._tensors: list[Any] = []

    def persistent_load(self, number: Any) -> Any:
        while len(self._tensors) <= number:
            pieces = [Piece(*pickle.load(file)) for file in self._shards]
            self._tensors.append(_spread(pieces) if self._spread else _whole(pieces))
        return self._tensors[number]


def _axis(tensor: Any, size: int) -> int | None:
    """Along which axis a tensor is sharded; None if every rank has all of it."""
    from torch.distributed.tensor import Replicate, Shard

    mesh, (placement, *more) = tensor.device_mesh, tensor.placements
    if more or mesh.size() != size or type(placement) not in (Replicate, Shard):
        raise CheckpointError(
            f"save_checkpoint was given a tensor that is sharded as {tuple(tensor.placements)} over {mesh.size()} "
            f"processes, and {size} run this trial; it can be sharded along one axis over all of them. Else save "
            f"its full_tensor()"
        )
    return placement.dim if isinstance(placement, Shard) else None


def _whole(pieces: list[Piece]) -> Any:
    import torch

    axis, shape = pieces[0].axis, pieces[0].shape
    whole = pieces[0].local if axis is None else torch.cat([piece.local for piece in pieces], axis)
    if tuple(whole.shape) != shape:
        raise ValueError(f"the pieces of a tensor of shape {shape} make {tuple(whole.shape)}: the ranks saved others")
    return whole


def _spread(pieces: list[Piece]) -> Any:
    """The tensor as it was sharded, over the processes that there are now; plain if this one is by itself."""
    import torch
    from torch import distributed

    whole = _whole(pieces)
    if not distributed.is_available() or not distributed.is_initialized():
        return whole
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    _, _, axis, device, names = pieces[0]
    device = device if torch.get_device_module(device).is_available() else "cpu"
    mesh = init_device_mesh(device, (distributed.get_world_size(),), mesh_dim_names=names)
    placement = Replicate() if axis is None else Shard(axis)
    spread = distribute_tensor(whole, mesh, [placement], src_data_rank=None)  # no rank asks another
    return spread.clone()  # without the storage of the whole
