"""PyTorch modules are left out of models, or it is said why they cannot be."""

from __future__ import annotations

import copy
import functools
import inspect
import io
import pickle
import random

import cloudpickle
import lightning
import numpy
import pytest
import torch
from torch import nn

from maggy.ablation.components import Layers
from maggy.context.surgery import Checker, ablated, apply, check, matching, names
from maggy.errors import AblationError

BATCH = torch.linspace(-1, 1, 8 * 6).reshape(8, 6)


class Net(nn.Module):
    """Two hidden layers of one width, a residual branch, and a head."""

    classes = 3

    def __init__(self, hidden: int = 16, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.first = nn.Linear(6, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU()) for _ in range(2)])
        self.branch = nn.Linear(hidden, hidden)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, self.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(x))
        for block in self.blocks:
            x = block(x)
        return self.head(self.drop(x + self.branch(torch.tanh(x))))

    @classmethod
    def wide(cls) -> Net:
        return cls(64)


def leave(*patterns: str, how: str = "identity", name: str = "it") -> list[Layers]:
    return [Layers(name=name, patterns=patterns, how=how)]


def train_a_step(net: nn.Module) -> tuple[dict[str, torch.Tensor], float]:
    """How much each parameter moved, and the loss."""
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD([one for one in net.parameters() if one.requires_grad], lr=0.5)
    loss = nn.functional.cross_entropy(net(BATCH), torch.arange(8) % 3)
    loss.backward()
    optimizer.step()
    return {name: (one - before[name]).abs().sum() for name, one in net.named_parameters()}, loss.item()


def make(module: nn.Module):
    """A factory of copies of a module."""
    return lambda: copy.deepcopy(module)


class Calls(nn.Module):
    """Modules, and a function that calls them."""

    def __init__(self, forward, **modules: nn.Module) -> None:
        super().__init__()
        self.body = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *inputs):
        return self.body(self, *inputs)


# --- names ------------------------------------------------------------------------------------


def test_modules_have_their_dotted_names():
    assert names(Net())[:5] == ["first", "norm", "blocks", "blocks.0", "blocks.0.0"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("blocks.1", ["blocks.1"]),
        ("blocks.*", ["blocks.0", "blocks.1"]),  # and not what is in them once more
        ("*.1", ["blocks.0.1", "blocks.1"]),
        ("BRANCH", ["branch"]),
        ("No*", ["norm"]),
    ],
)
def test_a_pattern_is_a_name_then_a_shell_pattern_then_either_in_any_case(pattern, found):
    assert matching(Net(), leave(pattern)[0]) == found


def test_a_name_that_is_not_there_gets_those_that_are_close():
    with pytest.raises(AblationError, match=r"'brunch'.* Did you mean 'branch'\? It has: 'first', 'norm'") as caught:
        matching(Net(), leave("branch", "brunch", name="the branch")[0])
    assert caught.value.component == "the branch"


def test_a_long_list_of_names_is_cut():
    with pytest.raises(AblationError, match=r"'19' and 30 more"):
        matching(nn.Sequential(*(nn.ReLU() for _ in range(50))), leave("fifty")[0])


# --- what becomes of modules ------------------------------------------------------------------


def test_without_a_module_its_input_goes_on_and_the_rest_trains():
    net = ablated(Net, leave("norm", "blocks.1"))()
    moved, _ = train_a_step(net)
    assert not any(name.startswith(("norm", "blocks.1")) for name in moved)
    assert all(moved.values())
    seen = []
    net.norm.register_forward_hook(lambda module, args, output: seen.append(torch.equal(args[0], output)))
    net(BATCH)
    assert seen == [True]


def test_zeros_stand_for_the_output_and_what_comes_before_still_has_gradients():
    net = ablated(Net, leave("branch", how="zero"))().eval()
    before = net.norm(net.first(BATCH))
    for block in net.blocks:
        before = block(before)
    assert torch.equal(net(BATCH), net.head(before))
    net(BATCH).sum().backward()
    assert net.branch.weight.grad is None and net.first.weight.grad.abs().sum() > 0


def test_all_that_a_module_returns_becomes_zeros():
    net = apply(
        nn.ModuleDict({"lstm": nn.LSTM(4, 5, batch_first=True), "head": nn.Linear(5, 1)}), leave("lstm", how="zero")
    )
    output, (hidden, cell) = net["lstm"](torch.ones(2, 3, 4))
    assert output.shape == (2, 3, 5) and not any(one.any() for one in (output, hidden, cell))


def test_a_frozen_module_keeps_the_weights_that_it_was_made_with():
    moved, _ = train_a_step(ablated(Net, leave("blocks", how="freeze"))())
    assert {name for name, far in moved.items() if not far} == {name for name in moved if name.startswith("blocks")}


def load_a_trained_net() -> Net:
    net = Net()
    net.load_state_dict({name: torch.full_like(one, 0.25) for name, one in net.state_dict().items()})
    return net


def test_fresh_weights_replace_those_that_the_factory_loads():
    removals = leave("blocks.0", how="reinit")
    check(load_a_trained_net, removals, sample=BATCH)
    net = ablated(load_a_trained_net, removals)()
    assert (net.blocks[1][0].weight == 0.25).all() and net.blocks[0][0].weight.std() > 0.05


def test_attention_gets_the_weights_that_a_new_one_has():
    net = apply(nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2)}), leave("attention", how="reinit"))
    assert not net["attention"].out_proj.bias.any()  # a Linear alone has another beginning than one in attention


def test_fresh_weights_need_a_module_that_can_draw_them():
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.ones(6))

    with pytest.raises(AblationError, match="the class Scale, which has parameters, has no method reset_parameters"):
        apply(nn.Sequential(nn.Linear(6, 6), Scale()), leave("1", how="reinit"))


def test_a_module_with_two_names_is_one_module():
    shared = nn.Linear(6, 6)
    net = apply(
        nn.ModuleDict({"one": shared, "two": nn.Sequential(shared, nn.ReLU()), "end": nn.Linear(6, 1)}), leave("one")
    )
    assert net["two"][0] is net["one"] is not shared


def test_layers_of_several_components_are_left_out_together():
    net = apply(Net(), [*leave("norm"), *leave("branch", how="zero"), *leave("first", how="freeze")])
    moved, _ = train_a_step(net)
    assert {name for name, far in moved.items() if far} == {
        "blocks.0.0.weight", "blocks.0.0.bias", "blocks.1.0.weight", "blocks.1.0.bias", "head.weight", "head.bias",
    }  # fmt: skip


# --- pairs: the same seed, with and without -----------------------------------------------------


def test_with_the_same_seed_what_is_left_begins_alike_and_so_does_what_is_drawn_next():
    def begin(factory):
        torch.manual_seed(3)
        net = factory()
        return net.state_dict(), torch.rand(3)

    whole, next_of_whole = begin(Net)
    for removals in (leave("norm"), leave("branch", how="zero"), leave("blocks.0", how="reinit")):
        rest, next_of_rest = begin(ablated(Net, removals))
        fresh = {name for name in rest if not torch.equal(rest[name], whole[name])}
        assert all(name.startswith("blocks.0") for name in fresh)
        assert torch.equal(next_of_whole, next_of_rest)


def test_weights_of_the_whole_model_can_be_loaded():
    whole, net = Net().state_dict(), ablated(Net, leave("norm", "blocks.0"))()
    net.load_state_dict(whole)
    assert torch.equal(net.head.weight, whole["head.weight"])


# --- what the training function gets ------------------------------------------------------------


def test_a_class_stays_a_class():
    model = ablated(Net, leave("norm"))
    assert issubclass(model, Net) and isinstance(model(8, dropout=0), Net)
    assert model.__name__ == "Net" and model.classes == 3 and model.__doc__ == Net.__doc__
    assert inspect.signature(model) == inspect.signature(Net)
    wide = model.wide()
    assert type(wide) is model and wide.head.in_features == 64 and "norm.weight" not in wide.state_dict()
    assert "norm.weight" in Net().state_dict()  # the user's own class is as it was


def test_the_training_function_may_derive_from_the_class():
    model = ablated(Net, leave("norm"))

    class Deeper(model):
        def __init__(self) -> None:
            super().__init__(hidden=12)
            self.norm_of_logits = nn.LayerNorm(3)

        def forward(self, x):
            return self.norm_of_logits(super().forward(x))

    net = Deeper()
    assert net(BATCH).shape == (8, 3)
    assert "norm.weight" not in net.state_dict() and "norm_of_logits.weight" in net.state_dict()


def test_a_class_that_was_derived_by_the_user_is_as_good():
    class Deeper(Net):
        def __init__(self, extra: int) -> None:
            super(Deeper, self).__init__(hidden=extra)  # noqa: UP008  the old way works too
            self.extra = nn.Linear(self.classes, extra)

    assert "first.weight" not in ablated(Deeper, leave("first", "extra", how="identity"))(6).state_dict()


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
@pytest.mark.parametrize("how", ["identity", "zero", "freeze"])
def test_an_instance_can_be_pickled(dumps, how):
    model = ablated(Net, leave("branch", how=how))
    net = model().eval()
    twin = pickle.loads(dumps(net))
    assert type(twin) is model and torch.equal(twin(BATCH), net(BATCH))
    assert copy.deepcopy(net).state_dict().keys() == net.state_dict().keys()


def test_an_instance_and_its_weights_can_be_saved():
    model = ablated(Net, leave("norm"))
    net, whole, weights = model(), io.BytesIO(), io.BytesIO()
    torch.save(net, whole)
    torch.save(net.state_dict(), weights)
    whole.seek(0), weights.seek(0)
    twin = torch.load(whole, weights_only=False)
    assert isinstance(twin, model)
    model().load_state_dict(torch.load(weights))
    assert torch.equal(twin.head.weight, net.head.weight)


def test_the_class_or_function_itself_travels():
    model = cloudpickle.loads(cloudpickle.dumps(ablated(Net, leave("norm"))))
    assert "norm.weight" not in model(10).state_dict()
    function = cloudpickle.loads(cloudpickle.dumps(ablated(build, leave("norm"))))
    assert "norm.weight" not in function(10).state_dict()


def test_a_lightning_module_keeps_its_hyperparameters():
    class Lit(lightning.LightningModule):
        def __init__(self, width: int = 4, depth: int = 1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.stem = nn.Linear(6, width)
            self.layers = nn.Sequential(*(nn.Linear(width, width) for _ in range(depth)))

    net = ablated(Lit, leave("layers.0"))(8, depth=2)
    assert dict(net.hparams) == {"width": 8, "depth": 2}
    assert "layers.0.weight" not in net.state_dict()


def build(hidden: int, *, dropout: float = 0.1) -> Net:
    """Builds."""
    return Net(hidden, dropout=dropout)


class Builder:
    def __call__(self, hidden: int) -> Net:
        return Net(hidden)


def test_a_function_stays_a_function():
    model = ablated(build, leave("norm"))
    assert (
        model.__name__ == "build"
        and model.__doc__ == "Builds."
        and inspect.signature(model) == inspect.signature(build)
    )
    assert "norm.weight" not in model(4).state_dict()


@pytest.mark.parametrize(
    "factory",
    [functools.partial(Net, 4), functools.partial(build, hidden=4), lambda: Net(4), functools.partial(Builder(), 4)],
)
def test_whatever_makes_a_model_can_be_ablated(factory):
    model = ablated(factory, leave("norm"))
    assert type(model) is type(factory) and inspect.signature(model) == inspect.signature(factory)
    net = model()
    assert isinstance(net, Net) and net.head.in_features == 4 and "norm.weight" not in net.state_dict()


def test_an_object_that_is_called_becomes_a_function_with_its_signature():
    model = ablated(Builder(), leave("norm"))
    assert inspect.signature(model) == inspect.signature(Builder())
    assert "norm.weight" not in model(4).state_dict()


def test_with_nothing_to_leave_out_it_is_what_was_given():
    assert ablated(Net, []) is Net


def test_what_makes_no_model_is_refused():
    with pytest.raises(AblationError, match="the model is an instance of Net; give its class"):
        ablated(Net(), leave("norm"))
    with pytest.raises(AblationError, match="dict is no class of PyTorch modules"):
        ablated(dict, leave("norm"))
    with pytest.raises(AblationError, match=r"this is a builtins\.tuple"):
        ablated(lambda: (Net(), 1), leave("norm"))()
    with pytest.raises(AblationError, match=r"cannot be made, which is needed.*missing 1 required positional"):
        Checker(build)


# --- checks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sample", [BATCH, BATCH.numpy(), BATCH.double().numpy(), (BATCH,), {"x": BATCH}, lambda: BATCH], ids=repr
)
def test_a_sample_comes_in_any_form(sample):
    check(Net, leave("norm"), sample=sample)


def test_one_checker_checks_many_variants():
    checker = Checker(build, {"hidden": 8}, BATCH)
    assert "blocks.1" in checker.names and checker.matching(leave("blocks.*")[0]) == ["blocks.0", "blocks.1"]
    for removals in (
        leave("norm"),
        leave("blocks.*"),
        leave("drop"),
        leave("branch", how="zero"),
        leave("head", how="freeze"),
        leave("first", how="zero"),
        [*leave("norm"), *leave("blocks.0")],
    ):
        checker.check(removals)


def test_what_needs_no_tracing_needs_no_sample():
    check(Net, leave("branch", how="zero"))
    check(Net, leave("branch", how="freeze"))


def test_weights_that_are_used_without_a_call_can_be_frozen():
    tied = Calls(
        lambda self, x: nn.functional.linear(self.first(x), self.first.weight.T) + self.rnn(x)[0] + self.last.weight,
        first=nn.Linear(6, 4),
        rnn=nn.LSTM(6, 6),
        last=nn.Linear(6, 1),
    )
    for part in ("last", "rnn"):
        check(make(tied), leave(part, how="freeze"), sample=BATCH)
    tied.add_module("spare", nn.Linear(2, 2))
    with pytest.raises(AblationError, match="never calls 'spare' on the sample: nothing would change"):
        check(make(tied), leave("spare", how="freeze"), sample=BATCH)


def test_without_a_sample_it_asks_for_one():
    with pytest.raises(AblationError, match=r"study\.model\.set_sample\(batch\)") as caught:
        check(Net, leave("norm", name="norms"))
    assert caught.value.component == "norms"


def test_a_sample_that_the_model_cannot_take_is_no_fault_of_a_component():
    with pytest.raises(AblationError, match=r"the model cannot take the sample: .*; targets are not among them"):
        Checker(Net, sample=(BATCH, torch.zeros(8)))


def test_checks_leave_the_random_streams_alone():
    def make_noisily():
        random.random(), numpy.random.rand(), torch.rand(1)  # noqa: NPY002
        return load_a_trained_net()

    def draw():
        return random.random(), numpy.random.rand(), torch.rand(1).item()  # noqa: NPY002

    def seed():
        random.seed(1), numpy.random.seed(1), torch.manual_seed(1)  # noqa: NPY002

    seed()
    expected = draw()
    seed()
    checker = Checker(make_noisily, sample=BATCH)
    checker.check(leave("norm"))
    checker.check(leave("blocks", how="reinit"))
    with pytest.raises(AblationError):
        checker.check(leave("head"))
    assert draw() == expected


def test_a_model_that_runs_in_one_mode_only_is_checked_in_that():
    net = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Linear(6, 2))
    one_row = BATCH[:1]  # of which batch normalisation learns nothing while it trains
    check(make(net), leave("2"), sample=one_row)
    with pytest.raises(AblationError):
        check(make(net), leave("3"), sample=one_row)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_a_module_behind_that_is_lazy_adapts():
    net = nn.Sequential(nn.Linear(6, 4), nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(2))
    check(make(net), leave("0"), sample=BATCH)
    moved = apply(net, leave("0"))(BATCH)
    assert moved.shape == (8, 2) and net[1].in_features == 6


def test_a_group_that_keeps_the_shape_as_a_whole_is_fine():
    net = nn.Sequential(nn.Linear(6, 32), nn.Linear(32, 6), nn.Linear(6, 2))
    check(make(net), leave("0", "1"), sample=BATCH)
    with pytest.raises(
        AblationError,
        match=r"cannot leave out '0': the rest of the model fails \(RuntimeError: .*"
        r"What changes the shape: 0: \(8, 6\) -> \(8, 32\)\. Leave out a group",
    ):
        check(make(net), leave("0"), sample=BATCH)


SILENT = {
    "what the first call of a recurrent module returns is cut to its first row": (
        Calls(lambda self, x: self.head(self.rnn(x)[0]), rnn=nn.LSTM(6, 6), head=nn.Linear(6, 2)),
        "rnn",
        r"'rnn' returns \(\(8, 6\), \(\(1, 6\), \(1, 6\)\)\), which is not one tensor",
    ),
    "attention of which the first output is taken": (
        Calls(
            lambda self, x: self.head(self.attention(x, x, x, need_weights=False)[0]),
            attention=nn.MultiheadAttention(6, 2),
            head=nn.Linear(6, 2),
        ),
        "attention",
        r"'attention' returns \(\(8, 6\), NoneType\), which is not one tensor",
    ),
    "a branch that is added becomes the input added to itself": (
        Calls(lambda self, x: self.head(x + self.branch(x)), branch=nn.Linear(6, 6), head=nn.Linear(6, 2)),
        "branch",
        "'add' would get the same tensor more than once.*how='zero'",
    ),
    "so it does where every module of the branch goes": (
        Calls(
            lambda self, x: self.head(torch.cat([x, self.branch(x)], 1)),
            branch=nn.Sequential(nn.Linear(6, 6), nn.ReLU()),
            head=nn.Linear(12, 2),
        ),
        "branch.*",
        "'cat' would get the same tensor more than once",
    ),
    "a gate of one number becomes the input squared": (
        Calls(lambda self, x: self.head(x * self.gate(x)), gate=nn.Linear(6, 1), head=nn.Linear(6, 2)),
        "gate",
        "'mul' would get the same tensor more than once",
    ),
    "a gate of one number becomes one of many": (
        Calls(lambda self, x: self.head(x * torch.sigmoid(self.gate(x))), gate=nn.Linear(6, 1), head=nn.Linear(6, 2)),
        "gate",
        r"'mul' would merge the shapes \(8, 6\) and \(8, 6\), as it never does",
    ),
    "so does a gate whose middle goes": (
        Calls(
            lambda self, x: self.head(x * self.gate(x)),
            gate=nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()),
            head=nn.Linear(6, 2),
        ),
        "gate.0",
        r"'gate.1' would return \(8, 6\) instead of \(8, 1\)",
    ),
    "the output becomes a wider one": (
        nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 1)),
        "1",
        r"the model would return \(8, 6\) instead of \(8, 1\)",
    ),
    "the model has another reference to the module": (
        Calls(lambda self, x: self.head(self.steps[0](x)), hidden=nn.Linear(6, 6), head=nn.Linear(6, 2)),
        "hidden",
        "the model goes on to call 'hidden' by another reference",
    ),
    "the module is never called": (
        Calls(lambda self, x: self.head(x), spare=nn.Linear(6, 6), head=nn.Linear(6, 2)),
        "spare",
        "the model never calls 'spare' on the sample: nothing would change",
    ),
    "a list of modules is never called": (
        Calls(lambda self, x: self.parts[1](self.parts[0](x)), parts=nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 2)])),
        "parts",
        r"the model never calls 'parts' on the sample: leave out what is in it, e\.g\. 'parts\.\*', or freeze it",
    ),
    "integers go on where vectors went": (
        Calls(
            lambda self, x: self.head(self.table(x.long().abs()).flatten(1)),
            table=nn.Embedding(3, 4),
            head=nn.Linear(24, 2),
        ),
        "table",
        "the rest of the model fails",
    ),
    "nothing that is trained is left": (
        nn.Sequential(nn.Linear(6, 6), nn.ReLU()),
        "0",
        "without '0' there is nothing left to train in the model",
    ),
    "the module is the identity already": (nn.Sequential(nn.Linear(6, 6), nn.Identity()), "1", "would change nothing"),
    "the module drops nothing": (nn.Sequential(nn.Linear(6, 6), nn.Dropout(0)), "1", "'1' passes on what it gets"),
}


@pytest.mark.parametrize("story", SILENT)
def test_it_is_refused_where(story):
    net, pattern, message = SILENT[story]

    def factory():
        made = copy.deepcopy(net)
        if hasattr(made, "hidden"):
            made.steps = [made.hidden]
        return made

    with pytest.raises(AblationError, match=message) as caught:
        check(factory, leave(pattern, name="the part"), sample=BATCH)
    assert caught.value.component == "the part"


@pytest.mark.parametrize(
    ("net", "pattern", "how", "message"),
    [
        (nn.Sequential(nn.Linear(6, 6), nn.ReLU()), "1", "freeze", "'1' has no parameters that are trained"),
        (nn.Sequential(nn.Linear(6, 6), nn.ReLU()), "1", "reinit", "'1' has no parameters"),
        (nn.Sequential(nn.Linear(6, 6), nn.ReLU()), "0", "freeze", "nothing left to train"),
        (nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 2)), "1", "zero", "nothing but zeros"),
        (Calls(lambda self, x: self.used(x), used=nn.Linear(6, 2), spare=nn.ReLU()), "spare", "zero", "never calls"),
    ],
)
def test_so_it_is_if_nothing_would_change_or_nothing_be_learnt(net, pattern, how, message):
    with pytest.raises(AblationError, match=message) as caught:
        check(make(net), leave(pattern, how=how, name="the part"), sample=BATCH)
    assert caught.value.component == "the part"


def test_fresh_weights_instead_of_fresh_ones_are_no_change():
    with pytest.raises(
        AblationError, match="how='reinit' would change nothing: the weights of 'first' are drawn afresh"
    ):
        check(Net, leave("first", how="reinit"))


def test_same_tensors_that_the_whole_model_merges_too_are_its_own_affair():
    net = Calls(
        lambda self, x: self.head((self.norm(x) * x) + (x * x)), norm=nn.LayerNorm(6), head=nn.Linear(6, 2)
    )  # fmt: skip
    check(make(net), leave("norm"), sample=BATCH)


def test_a_module_of_two_names_is_followed_by_either():
    shared = nn.Linear(6, 6)
    net = nn.Sequential(shared, nn.ReLU(), nn.Sequential(shared, nn.Tanh()), nn.Linear(6, 2))
    check(make(net), leave("2.0"), sample=BATCH)
    check(make(net), leave("2"), sample=BATCH)
    assert not {"0.weight", "2.0.weight"} & apply(make(net)(), leave("2.0")).state_dict().keys()
