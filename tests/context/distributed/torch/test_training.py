"""A training on two workers: the function is the one of a worker alone, and so is what comes out."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

import pytest
import torch
from context.distributed.torch.stories import (
    LEVELS,
    Net,
    Stories,
    apart,
    batches,
    gradients,
    net_in_double,
    part,
    sockets,
    trial,
    whole,
)
from torch import nn

from maggy.context.distributed import Alone
from maggy.errors import EarlyStopException

pytestmark = pytest.mark.distributed

story = Stories()


@pytest.fixture(scope="module")
def told():
    """See `Stories.tell`."""
    return story.tell()


# --- one process, many trials


@story
def reused(gang):
    """Trial after trial in one process."""
    found = []
    for _ in range(30):
        with trial(gang) as context:
            net = context.place(Net)(320)
            optimizer = torch.optim.AdamW(net.parameters())
            net(torch.ones(2, 8)).sum().backward()
            optimizer.step()
            net.eval()
            del net, optimizer
        native = len(list(Path("/proc/self/task").iterdir()))
        listening, descriptors = sockets()
        groups = len(torch.distributed.distributed_c10d._world.pg_map)
        found.append((threading.active_count(), native, tuple(listening), descriptors, groups))
    return found


def test_thirty_trials_in_one_process_leave_no_threads_sockets_or_groups_behind(told):
    for rank in told["reused"]:
        assert set(rank) == {(1, rank[0][1], (), rank[0][3], 0)}


# --- the same curve as alone


def train(gang, make, dtype, **how):
    """A training as anybody would write it."""
    with trial(gang, **how) as context:
        net = context.place(make)()
        optimizer = torch.optim.AdamW(net.parameters(), 0.01)
        losses, first = [], None
        for x, y in batches(dtype):
            net.train()
            mine, labels = part(gang, x, y)
            optimizer.zero_grad()
            loss = net.loss(mine, labels)
            loss.backward()
            first = first or gradients(net)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            net.eval()
            with torch.no_grad():  # other ranks evaluate another number of batches
                seen = [net.loss(x, y).item() for _ in range(gang.rank + 1)]
            losses += [context.mean(loss.item(), 1), seen[-1]]
        net.train()
        weights = {name: whole(value) for name, value in net.state_dict().items()}
    return losses, first, weights


@story
def curves(gang):
    return {level: train(gang, net_in_double, torch.float64, zero_lvl=level) for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS)
def test_losses_gradients_and_weights_are_those_of_a_worker_alone(told, level):
    losses, first, weights = train(Alone(), net_in_double, torch.float64)
    for rank in told["curves"]:
        assert apart(rank[level][0], losses) < 1e-13
        assert apart(rank[level][1], first) < 1e-14
        assert list(rank[level][2]) == list(weights)
        assert apart(rank[level][2].values(), weights.values()) < 1e-11


def net_in_single():
    return net_in_double().float()


@story
def curves_in_single(gang):
    return {level: train(gang, net_in_single, torch.float32, zero_lvl=level)[0] for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS)
def test_in_single_precision_losses_differ_in_the_last_digits(told, level):
    losses, *_ = train(Alone(), net_in_single, torch.float32)
    for rank in told["curves_in_single"]:
        assert apart(rank[level], losses) < 1e-5


# --- what all ranks have in common, and what not


@story
def beginning(gang):
    """Ranks that draw other weights each."""
    found = {}
    for level in LEVELS:
        with trial(gang, zero_lvl=level) as context:
            torch.manual_seed(gang.rank)
            net = context.place(Net)(16)
            found[level] = [whole(value) for value in net.state_dict().values()], torch.rand(4)
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_all_ranks_begin_with_the_weights_of_rank_0_and_then_draw_numbers_of_their_own(told, level):
    torch.manual_seed(0)
    weights, following = [value.clone() for value in Net(16).state_dict().values()], torch.rand(4)
    zero, one = (rank[level] for rank in told["beginning"])
    assert apart(zero[0], weights) == apart(one[0], weights) == 0
    assert zero[1].equal(following) and not one[1].equal(following)


def normed():
    torch.manual_seed(1)
    net = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 3)).double()
    net.register_buffer("cache", torch.zeros(1), persistent=False)
    return net


def normalise(gang, **how):
    with trial(gang, **how) as context:
        net = context.place(normed)()
        net.cache = torch.zeros(2 + gang.rank)  # of another size on each rank
        for x, _ in batches():
            net(*part(gang, x)).sum().backward()
        net.eval()
        return net[0].running_mean.clone(), net[0].running_var.clone(), int(net[0].num_batches_tracked)


@story
def statistics(gang):
    return {level: normalise(gang, zero_lvl=level) for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS)
def test_statistics_are_averaged_when_evaluation_begins(told, level):
    mean, _, count = normalise(Alone())
    zero, one = (rank[level] for rank in told["statistics"])
    assert apart(zero[:2], one[:2]) == 0
    assert apart([zero[0]], [mean]) < 1e-15
    assert zero[2] == one[2] == count


def lazy_net():
    return nn.Sequential(nn.LazyLinear(5), nn.Dropout(0.5), nn.LazyBatchNorm1d(), nn.LazyLinear(3))


@story
def lazy(gang):
    with trial(gang) as context:
        torch.manual_seed(gang.rank)
        net = context.place(lazy_net)()
        before = torch.optim.SGD(net.parameters(), 0.1)  # works for weights whose shapes are not known yet
        x = torch.full((4, 6), 1.0 + gang.rank)
        net(x).square().sum().backward()
        modes = [module.training for module in net.modules()]
        began = [whole(value) for value in net.parameters()]
        before.step()
        return began, gradients(net), [whole(value) for value in net.parameters()], modes


def test_lazy_modules_get_the_weights_of_rank_0_at_their_first_call(told):
    zero, one = told["lazy"]
    assert apart(zero[0], one[0]) == apart(zero[1], one[1]) == apart(zero[2], one[2]) == 0
    assert apart(zero[0], zero[2]) > 0
    assert all(zero[3]) and all(one[3])


# --- gradients


def in_two_steps(gang, **how):
    with trial(gang, **how) as context:
        net = context.place(net_in_double)()
        (x1, y1), (x2, y2) = batches(count=2)
        for last, data in ((False, (x1, y1)), (True, (x2, y2))):
            with context.accumulate(net, last=last):
                (net.loss(*part(gang, *data)) / 2).backward()
            if not last:
                between = gradients(net) if not how.get("zero_lvl") else []
        return between, gradients(net)


@story
def accumulated(gang):
    return {level: in_two_steps(gang, zero_lvl=level) for level in LEVELS}


def test_accumulated_gradients_are_averaged_once_at_the_last(told):
    _, alone = in_two_steps(Alone())
    for rank in told["accumulated"]:
        assert all(apart(rank[level][1], alone) < 1e-14 for level in LEVELS)
    zero, one = (rank[0][0] for rank in told["accumulated"])
    assert apart(zero, one) > 1e-3


class Partly(Net):
    """What it has in `wide` has no part in what it returns."""

    def forward(self, x):
        return {"logits": self.head(torch.tanh(self.first(x))), "text": "of no gradient"}


def make_partly():
    torch.manual_seed(7)
    return Partly(16).double()


def change_and_train(gang, **how):
    with trial(gang, **how) as context:
        net = context.place(make_partly)()
        if not how["zero_lvl"]:
            torch.manual_seed(gang.rank)
            net.head = nn.Linear(16, 5).double()
            net.first.requires_grad_(False)
        found = []
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for step, (x, y) in enumerate(batches()):
            if step == 3:
                net.first.requires_grad_(True)
            optimizer.zero_grad()
            out = net(*part(gang, x))["logits"]
            out /= 2
            loss = nn.functional.cross_entropy(out, *part(gang, y))
            if not how["zero_lvl"]:
                loss += 1e-3 * sum(value.square().sum() for value in net.parameters())
            loss.backward()
            found.append(gradients(net))
            optimizer.step()
        return found


@story
def changed(gang):
    """With copies, `head` is exchanged after the model was made, and `first` is frozen for a while."""
    return {level: change_and_train(gang, zero_lvl=level) for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS)
def test_parts_may_be_of_no_use_or_frozen_or_exchanged_before_the_first_call(told, level):
    alone = change_and_train(Alone(), zero_lvl=level)
    for rank in told["changed"]:
        assert len(rank[level][0]) == len(alone[0]) and len(rank[level][-1]) == len(alone[-1])
        assert max(map(apart, rank[level], alone)) < 1e-13


@story
def two_models(gang):
    """The discriminator is called twice before its gradients are made, and once for those of the generator."""
    with trial(gang) as context:
        make = context.place([lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)), lambda: nn.Linear(8, 1)])
        generator, judge = (one() for one in make)
        noise, real = torch.full((4, 4), gang.rank + 1.0), torch.full((4, 8), gang.rank - 1.0)
        (judge(real) - judge(generator(noise).detach())).sum().backward()
        judged = gradients(judge)
        judge.zero_grad()
        judge(generator(noise)).sum().backward()
        return judged, gradients(generator), gradients(judge)


def test_models_may_be_called_several_times_before_their_gradients_are_made(told):
    zero, one = told["two_models"]
    assert max(map(apart, zero, one)) == 0


@story
def past_the_call(gang):
    """Ways to train that would leave each rank with gradients of its own."""
    ways = {
        "forward": lambda net, x: net.forward(x).sum().backward(),
        "parts": lambda net, x: net.head(net.wide(net.first(x))).sum().backward(),
        "twice": lambda net, x: [net(x).sum().backward(retain_graph=True), net.first(x).sum().backward()],
    }
    found = {}
    for name, way in ways.items():
        with trial(gang) as context:
            net = context.place(Net)(16)
            net(torch.ones(2, 8)).sum().backward()
            try:
                way(net, torch.ones(2, 8))
            except RuntimeError as error:
                found[name] = str(error)
    with trial(gang) as context:
        net = context.place(Net)(16)
        net.eval()  # dropout and statistics stay as they are, while weights are trained
        net(torch.ones(2, 8) * gang.rank).sum().backward()
        return found, gradients(net)


def test_gradients_of_one_rank_only_are_an_error(told):
    for errors, _ in told["past_the_call"]:
        assert set(errors) == {"forward", "parts", "twice"}
        assert all("Train through net(...)" in error for error in errors.values())


def test_a_model_can_be_trained_in_its_mode_of_evaluation(told):
    (_, zero), (_, one) = told["past_the_call"]
    assert apart(zero, one) == 0


# --- beginning and end


VARIABLES = ("MASTER_ADDR", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GLOO_SOCKET_IFNAME")


@story
def surroundings(gang):
    os.environ["RANK"] = "before"
    with trial(gang) as context:
        during = [os.environ.get(name) for name in VARIABLES]
        listening, _ = sockets()
        device = str(context.device)
    after = [os.environ.get(name) for name in VARIABLES]
    del os.environ["RANK"]
    return during, listening, after, device


def test_the_environment_is_that_of_torchrun_while_the_trial_lasts(told):
    for rank, (during, _, after, _) in enumerate(told["surroundings"]):
        assert during == ["127.0.0.1", str(rank), "2", str(rank), "2", "lo"]
        assert after == [None, "before", None, None, None, None]


def test_ranks_listen_on_the_address_at_which_the_others_reach_them(told):
    for _, listening, _, device in told["surroundings"]:
        assert set(listening) == {"0100007F"} or torch.cuda.is_available()
        assert device == ("cuda:0" if torch.cuda.is_available() else "cpu")


KEPT = []


@story
def stopped(gang):
    """A trial that is stopped early, and a training function that keeps its model."""

    def function(context):
        net = context.place(Net)(16)
        KEPT.append(net)
        references.append(weakref.ref(net.wide))
        mine = context.place(Net)(16)
        references.append(weakref.ref(mine))
        for one in (net, mine):
            one(torch.ones(2, 8)).sum().backward()
        raise EarlyStopException(0.5)

    references = []
    try:
        with trial(gang) as context:
            function(context)
    except EarlyStopException as stop:
        alive = [reference() is not None for reference in references]
        net = KEPT.pop()
        net(torch.ones(2, 8)).sum().backward()  # talks to nobody
        return alive, type(net) is Net, stop.metric, torch.distributed.is_initialized()


def test_a_trial_that_is_stopped_leaves_nothing_behind(told):
    assert told["stopped"] == [([True, False], True, 0.5, False)] * 2
