"""Over what the ranks talk."""

from __future__ import annotations

import socket

import pytest
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from maggy.config import Distribution
from maggy.context.distributed import needs_fresh_process
from maggy.context.distributed.torch.group import backend_for
from maggy.context.distributed.torch.interface import interface_of
from maggy.context.distributed.torch.moving import Moving
from maggy.context.distributed.torch.reach import reaching, unreached

pytestmark = pytest.mark.distributed


@pytest.mark.parametrize(
    ("gpus", "backend"),
    [
        (["", ""], "gloo"),
        (["a", ""], "gloo"),
        (["a", "b"], "cpu:gloo,cuda:nccl"),
        (["a", "a"], "gloo"),  # NCCL takes no two ranks on one GPU
        (["a", "b", "a"], "gloo"),
    ],
)
def test_nccl_is_taken_where_each_rank_has_a_gpu_of_its_own(gpus, backend):
    assert backend_for(gpus) == backend


@pytest.mark.parametrize(("how", "fresh"), [({}, False), ({"zero_lvl": 1}, True), ({"deepspeed": {}}, True)])
def test_what_keeps_a_process_group_in_caches_gets_a_process_for_each_trial(how, fresh):
    assert needs_fresh_process(Distribution(framework="torch", **how), None) is fresh


def test_the_interface_of_an_address_is_found():
    assert interface_of("127.0.0.1") == interface_of("localhost") == "lo"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but its own")
        name = interface_of(probe.getsockname()[0])
    assert name in {name for _, name in socket.if_nameindex()}


def test_the_interface_of_a_foreign_address_is_not_found():
    assert interface_of("192.0.2.1") is None


def test_parameters_that_an_output_does_not_depend_on_get_no_gradient_but_are_reached():
    used, unused = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    reached = []
    for name, parameter in (("used", used), ("unused", unused)):
        node = parameter.expand_as(parameter).grad_fn.next_functions[0][0]
        node.register_hook(lambda *_, name=name: reached.append(name))
        parameter.node = node  # lives as long as somebody holds it
    output = {"value": (used * 2, "text"), "other": used.detach()}
    assert unreached(output, [used, unused]) and not unreached(output, [used])
    value = reaching(output, [used, unused])["value"]
    assert value[1] == "text"
    value[0].sum().backward()
    assert sorted(reached) == ["unused", "used"]
    assert used.grad.tolist() == [2, 2] and unused.grad is None


def test_what_a_checkpoint_hides_is_not_taken_for_unreached():
    layer = torch.nn.Linear(2, 2)
    x = torch.ones(1, 2, requires_grad=True)
    assert not unreached(checkpoint(layer, x, use_reentrant=True), list(layer.parameters()))
    assert not unreached("no tensor", list(layer.parameters()))


def test_batches_come_to_the_device_and_the_rest_is_that_of_the_loader():
    loader = Moving(DataLoader(TensorDataset(torch.ones(6, 2), torch.ones(6)), batch_size=4), torch.device("meta"))
    assert [(x.device.type, len(y)) for x, y in loader] == [("meta", 4), ("meta", 2)]
    assert len(loader) == 2 and loader.batch_size == 4
