"""PyTorch on two workers: the training function is the one of a worker alone, and so is what comes out.

The stories are told by one gang of two processes, one after the other: starting processes takes seconds. Each returns
what the tests below look at.
"""

from __future__ import annotations

import copy
import functools
import inspect
import os
import pickle
import threading
import weakref
from pathlib import Path

import pytest
import torch
from context.distributed.processes import run_gang
from torch import nn
from torch.distributed.tensor import DTensor

from maggy.ablation.components import Layers
from maggy.config import Distribution
from maggy.context.distributed import Alone, opened
from maggy.context.distributed.torch.sharded import LEAST, units
from maggy.context.surgery import ablated
from maggy.errors import ConfigError, EarlyStopException

STORIES = {}
LEVELS = (0, 1, 3)


def story(function):
    STORIES[function.__name__] = function
    return function


def tell(gang):
    torch.set_num_threads(1)
    return {name: told(gang) for name, told in STORIES.items()}


@pytest.fixture(scope="module")
def told():
    """What each story returned on each rank, by its name."""
    ranks = run_gang(tell, 2)
    return {name: [rank[name] for rank in ranks] for name in STORIES}


def trial(gang, seed=3, **how):
    return opened(Distribution(framework="torch", timeout_s=30.0, **how), gang, seed=seed, takes_context=True)


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


# --- a model looks like the user's own


def look(net, kind):
    """What can be seen of a placed model."""
    return {
        "class": isinstance(net, kind) and type(net).__name__ == kind.__name__,
        "attributes": net.classes == 3 and net.head.out_features == 3 and not hasattr(net, "module"),
        "keys": list(net.state_dict()),
        "modules": [name for name, _ in net.named_modules()],
        "text": repr(net).partition("(")[0],
    }


PLAIN = look(Net(16), Net)


@story
def looks(gang):
    found = {}
    for level in LEVELS:
        with trial(gang, zero_lvl=level) as context:
            model, factory, bound, both = (
                context.place(one) for one in (Net, net_in_double, functools.partial(Net, 16), [Net, lambda: Net(16)])
            )
            made = [model(16), model.double_sized(), factory(16), bound(), *(one() for one in both)]
            kinds = isinstance(model, type) and issubclass(model, Net) and isinstance(made[0], model)
            signature = inspect.signature(model) == inspect.signature(Net)
            net = made[0]
            net.load_state_dict(Net(16).state_dict())
            net.load_state_dict(net.state_dict())
            chain = context.place(lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)))()
            slices = type(chain[:2]) is nn.Sequential and isinstance(chain[2], nn.Linear) and len(chain) == 3
            found[level] = [look(one, Net) for one in made], kinds, signature, slices
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_a_placed_model_looks_like_the_users_own(told, level):
    for rank in told["looks"]:
        models, *others = rank[level]
        assert models == [PLAIN] * 6
        assert others == [True, True, True]


@story
def whole_weights(gang):
    """Weights that were saved whole, e.g. trained before, are loaded."""
    found = {}
    for level in LEVELS:
        with trial(gang, zero_lvl=level) as context:
            net = context.place(Net)(320)
            net.load_state_dict(net_in_double().float().state_dict())
            found[level] = apart(map(whole, net.parameters()), net_in_double().float().parameters())
    return found


def apart_of(found):
    return [found[level] for level in LEVELS]


def test_whole_weights_can_be_loaded(told):
    assert [apart_of(rank) for rank in told["whole_weights"]] == [[0, 0, 0]] * 2


@story
def copies(gang):
    with trial(gang) as context:
        net = context.place(Net)(16)
        x, y = next(batches(torch.float32))
        net.loss(x, y).backward()
        copied, pickled = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
        kinds = [type(one) is Net for one in (copied, pickled)]
        before = [value.clone() for value in copied.parameters()]
        torch.optim.SGD(net.parameters(), 0.1).step()
        stays = apart(before, copied.parameters())
        if gang.rank == 0:  # a copy talks to nobody
            copied.loss(x, y).backward()
        return kinds, stays, apart(before, net.parameters()), pickled


def test_copies_and_pickles_are_plain_models_of_the_users_class(told):
    for kinds, stays, moved, pickled in told["copies"]:
        assert kinds == [True, True]
        assert stays == 0 and moved > 0
        assert type(pickled) is Net and pickled(torch.ones(1, 8)).shape == (1, 3)


def test_a_class_that_lacks_layers_is_placed_and_pickled_too():
    smaller = ablated(Net, [Layers(name="it", patterns=("wide",))])
    with trial(Alone()) as context:
        net = context.place(smaller)(16)
        again = pickle.loads(pickle.dumps(net))
    assert isinstance(net, Net) and type(again) is smaller
    assert apart([net(torch.ones(1, 8))], [again(torch.ones(1, 8))]) == 0


def test_a_model_that_is_made_of_a_subclass_is_placed():
    with trial(Alone(), mixed_precision=True) as context:

        class Wider(context.place(Net)):
            def __init__(self):
                super().__init__(16)
                self.more = nn.Linear(3, 5)

            def forward(self, x):
                return self.more(super().forward(x))

        net = Wider()
        assert net(torch.ones(1, 8)).dtype == torch.float32
        assert net.seen == torch.bfloat16
        assert isinstance(copy.deepcopy(net), Wider)


# --- precision


class Spy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 3)

    def forward(self, x):
        self.dtype = (out := self.layer(x)).dtype
        return {"logits": out, "both": (out, x)}


def mixed(gang, level=0):
    with trial(gang, mixed_precision=True, zero_lvl=level) as context:
        net = context.place(Spy)()
        found = []
        for training in (True, False):
            net.train(training)
            out = net(torch.ones(2, 8))
            found.append((str(net.dtype), str(out["logits"].dtype), str(out["both"][0].dtype)))
            if training:
                out["logits"].sum().backward()
                found.append(tuple({str(one.dtype) for one in (*net.parameters(), *gradients(net))}))
        return found


@story
def precision(gang):
    return {level: mixed(gang, level) for level in LEVELS}


COMPUTED = ("torch.bfloat16", "torch.float32", "torch.float32")


@pytest.mark.parametrize("level", LEVELS)
def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_and_outputs_in_float32(told, level):
    for rank in [*told["precision"], {level: mixed(Alone())}]:
        assert rank[level] == [COMPUTED, ("torch.float32",), COMPUTED]


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
    """What it has in `wide` has no part in what it returns; `head` comes in later, and `first` is frozen for a while."""

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
    assert all(map(lambda pair: apart(*pair) == 0, zip(zero, one, strict=True)))


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


# --- pieces


def test_large_children_are_units_and_those_that_share_weights_are_not():
    side = int(LEAST**0.5) + 1

    class Big(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(side, side) for _ in range(2)])
            self.small = nn.Linear(2, 2)
            self.one, self.other = nn.Linear(side, side), nn.Linear(side, side)
            self.one.weight = self.other.weight
            self.nested = nn.Sequential(nn.Sequential(nn.Linear(side, side)), nn.ReLU())

    net = Big()
    assert units(net) == [*net.blocks, net.nested[0][0]]


@story
def refused(gang):
    found = []
    with trial(gang, zero_lvl=3) as context:
        try:
            context.place(lazy_net)()
        except ConfigError as error:
            found.append(str(error))
        net = context.place(Net)(16)
        net.head = nn.Linear(16, 3)
        try:
            net(torch.ones(1, 8))
        except ConfigError as error:
            found.append(str(error))
        pieces = {type(value).__name__ for value in net.first.parameters()}
    return found, pieces


def test_what_cannot_lie_in_pieces_is_refused(told):
    for (lazy, late), pieces in told["refused"]:
        assert "Call the model once on an example" in lazy
        assert "'head.weight', 'head.bias' came into the model after it was made" in late
        assert pieces == {"DTensor"}


def test_what_is_no_module_is_refused():
    with trial(Alone()) as context:
        with pytest.raises(ConfigError, match=r"no torch\.nn\.Module but dict"):
            context.place(lambda: {})()
        assert context.place("resnet") == "resnet"


# --- beginning and end


def sockets():
    """Local addresses of this process's sockets that listen, and how many descriptors it has."""
    mine = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [row.split() for row in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    listening = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine]
    return listening, len(mine)


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
        for net in (net, mine):
            net(torch.ones(2, 8)).sum().backward()
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


@story
def reused(gang):
    """Trial after trial in one process."""
    found = []
    for number in range(30):
        with trial(gang, zero_lvl=3 * (number % 2)) as context:
            net = context.place(Net)(320)
            optimizer = torch.optim.AdamW(net.parameters())
            net(torch.ones(2, 8)).sum().backward()
            optimizer.step()
            net.eval()
            del net, optimizer
        native = len(list(Path("/proc/self/task").iterdir()))
        listening, descriptors = sockets()
        groups = len(torch.distributed.distributed_c10d._world.pg_map)
        found.append((threading.active_count(), native, listening, descriptors, groups))
    return found


def test_thirty_trials_in_one_process_leave_no_threads_sockets_or_groups_behind(told):
    for rank in told["reused"]:
        assert rank[-1] == rank[1]
        assert rank[-1][2] == [] and rank[-1][4] == 0
