"""Models that train together and look like the user's own."""

from __future__ import annotations

import copy
import functools
import importlib.util
import inspect
import pickle

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
    trial,
    whole,
)
from torch import nn

from maggy.ablation.components import Layers
from maggy.context.distributed import Alone
from maggy.context.distributed.torch.sharded import LEAST, units
from maggy.context.surgery import ablated
from maggy.errors import ConfigError

pytestmark = pytest.mark.distributed

story = Stories()


@pytest.fixture(scope="module")
def told():
    """See `Stories.tell`."""
    return story.tell()


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
            context.place(nn.LazyLinear)(3)
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
            context.place(dict)()
        assert context.place("resnet") == "resnet"


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is not None, reason="DeepSpeed is installed")
def test_deepspeed_that_is_missing_is_said():
    with trial(Alone(), deepspeed={}) as context, pytest.raises(ImportError, match="pip install deepspeed"):
        context.place(Net)
