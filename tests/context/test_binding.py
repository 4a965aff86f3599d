"""Which argument gets what, by name and before anything starts."""

from __future__ import annotations

import functools

import pytest

from maggy.context.binding import Binding, check
from maggy.errors import SignatureError

OTHERS = ("reporter", "hparams")


def check_with_lr(function, *others):
    check(function, hyperparameters=["lr"], others=[*OTHERS, *others])


def bound(function, **others):
    """What the function gets for lr=0.1 and layers=2."""
    provided = {
        name: functools.partial(lambda value: value, value) for name, value in {"reporter": "R", **others}.items()
    }
    return Binding(function).arguments({"lr": 0.1, "layers": 2}, provided)


# --- functions that can be called: what they get


def test_a_function_gets_exactly_what_it_names():
    def train(layers, reporter, lr): ...

    assert bound(train) == {"layers": 2, "reporter": "R", "lr": 0.1}
    check(train, hyperparameters=["lr", "layers"], others=OTHERS)


def test_hparams_are_all_hyperparameters_as_a_dict_of_the_trials_own():
    def train(hparams): ...

    params = {"lr": 0.1, "layers": 2}
    given = Binding(train).arguments(params, {})["hparams"]
    assert given == params
    given["lr"] = 0.5
    assert params["lr"] == 0.1
    check_with_lr(train)


def test_a_hyperparameter_and_hparams_can_be_had_together():
    def train(lr, hparams): ...

    assert bound(train) == {"lr": 0.1, "hparams": {"lr": 0.1, "layers": 2}}


def test_keyword_arguments_catch_every_hyperparameter_and_nothing_else():
    def train(reporter, **kwargs): ...

    assert bound(train, dataset="D") == {"reporter": "R", "lr": 0.1, "layers": 2}
    check_with_lr(train)


def test_keyword_arguments_may_themselves_be_called_hparams():
    def train(**hparams):
        return hparams

    assert train(**bound(train)) == {"lr": 0.1, "layers": 2}
    check_with_lr(train)


def test_keyword_only_arguments_are_arguments():
    def train(*, lr, reporter=None): ...

    assert bound(train) == {"lr": 0.1, "reporter": "R"}
    check_with_lr(train)


def test_a_default_stands_where_nobody_provides_the_name_and_yields_where_somebody_does():
    def train(lr=1.0, epochs=10, dataset=None): ...

    assert bound(train) == {"lr": 0.1}
    assert bound(train, dataset="D") == {"lr": 0.1, "dataset": "D"}
    check_with_lr(train)


def test_positional_leftovers_stay_empty():
    def train(lr, *lessons):
        return lr, lessons

    assert train(**bound(train, lessons="L")) == (0.1, ())
    check_with_lr(train)


@pytest.mark.parametrize(("old", "new"), [("module", "model"), ("resource", "budget")])
def test_names_of_older_versions_mean_what_is_now_called_otherwise(old, new):
    namespace = {}
    exec(f"def train(lr, {old}): ...", namespace)
    train = namespace["train"]
    assert bound(train, **{new: "M"}) == {"lr": 0.1, old: "M"}
    check_with_lr(train, new)
    with pytest.raises(SignatureError, match=f"asks for '{old}', which nobody provides"):
        check_with_lr(train)


def test_a_partial_a_method_a_class_and_a_callable_object_are_functions():
    class Trainer:
        def __init__(self, lr=None):
            self.lr = lr

        def fit(self, lr, reporter): ...

        def __call__(self, lr): ...

    def train(data, lr, epochs): ...

    for function, expected in [
        (functools.partial(train, "D", epochs=3), {"lr": 0.1}),
        (functools.partial(train, data="D", epochs=3), {"lr": 0.1}),
        (Trainer().fit, {"lr": 0.1, "reporter": "R"}),
        (Trainer(), {"lr": 0.1}),
        (Trainer, {"lr": 0.1}),
        (lambda lr: lr, {"lr": 0.1}),
    ]:
        check_with_lr(function)
        assert bound(function) == expected
        function(**expected)


def test_a_decorated_function_is_asked_for_what_it_decorates():
    def twice(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)

        return call

    @twice
    def train(lr, reporter):
        return lr, reporter

    check_with_lr(train)
    assert train(**bound(train)) == (0.1, "R")


# --- functions that cannot be called: what is said


def test_a_name_that_nobody_provides_is_an_error_that_lists_what_can_be_had():
    def train(lr, report): ...

    with pytest.raises(SignatureError) as caught:
        check_with_lr(train, "model")
    assert str(caught.value) == (
        "train() asks for 'report', which nobody provides. Did you mean 'reporter'? "
        "Provided here: hparams, lr, model, model_function, module, reporter. Rename the argument, give it a "
        "default, or a value as a hyperparameter."
    )


@pytest.mark.parametrize(("asked", "given"), [("train_set", "train_set"), ("module", "model"), ("model", "model")])
def test_what_the_config_could_have_is_asked_for_there(asked, given):
    namespace = {}
    exec(f"def train(lr, {asked}): ...", namespace)
    with pytest.raises(SignatureError, match=rf"asks for '{asked}', .*\. Give the config {given}=, or the argument a "):
        check_with_lr(namespace["train"])


def test_a_keyword_only_name_that_nobody_provides_is_one_too():
    def train(lr, *, epochs): ...

    with pytest.raises(SignatureError, match=r"train\(\) asks for 'epochs', which nobody provides\. Provided here"):
        check_with_lr(train)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["lr", "layers"], r"train\(\) never gets the hyperparameter 'layers': add the argument, or take all"),
        (["lr", "layers", "units"], r"train\(\) never gets the hyperparameters 'layers', 'units': add the arguments,"),
    ],
)
def test_a_hyperparameter_that_the_function_ignores_is_an_error(names, says):
    def train(lr, reporter): ...

    with pytest.raises(SignatureError, match=says):
        check(train, hyperparameters=names, others=OTHERS)


def test_what_only_looks_like_a_place_for_a_hyperparameter_is_none():
    def leftovers(*lr): ...

    def more_leftovers(reporter=None, *hparams): ...

    for function in (leftovers, more_leftovers):
        with pytest.raises(SignatureError, match="never gets the hyperparameter 'lr'"):
            check_with_lr(function)


def test_arguments_by_position_only_are_refused_unless_they_can_be_left_out():
    def train(lr, /): ...

    def defaulted(lr=0.1, /, **kwargs): ...

    def unrelated(epochs=3, /, *, lr): ...

    for function in (train, defaulted):
        with pytest.raises(SignatureError, match=r"\(\) takes 'lr' by position only; .* so remove the '/'"):
            check_with_lr(function)
    check_with_lr(unrelated)
    assert bound(unrelated) == {"lr": 0.1}


@pytest.mark.parametrize("function", [42, "train.py", None])
def test_what_cannot_be_called_is_refused(function):
    with pytest.raises(SignatureError, match=f"has to be callable, got {type(function).__name__}"):
        check_with_lr(function)


def test_a_function_that_does_not_say_what_it_takes_is_refused_with_a_way_out():
    with pytest.raises(SignatureError, match=r"the arguments of .* cannot be read: .*; wrap it in a def"):
        check_with_lr(dict)


def test_what_nobody_asks_for_is_not_made():
    made = []

    def train(train_set): ...

    def make(name):
        made.append(name)
        return name

    provided = {name: functools.partial(make, name) for name in ("train_set", "test_set")}
    assert Binding(train).arguments({}, provided) == {"train_set": "train_set"}
    assert made == ["train_set"]


def test_model_and_module_and_model_function_are_one_and_the_same_object():
    def train(model, module, model_function): ...

    given = Binding(train).arguments({}, {"model": object})
    assert given["model"] is given["module"] is given["model_function"]


def test_a_dataset_function_is_the_factory_of_the_config():
    def train(dataset_function): ...

    def factory(epochs, batch_size): ...

    assert bound(train, dataset=factory) == {"dataset_function": factory}


def test_a_dataset_function_returns_data_that_is_no_factory_and_takes_no_arguments_then():
    def train(dataset, dataset_function): ...

    given = bound(train, dataset=[1, 2])
    assert given["dataset"] is given["dataset_function"]() == [1, 2]
    with pytest.raises(TypeError, match="the dataset of the config is list, which takes no arguments"):
        given["dataset_function"](5, 32)
