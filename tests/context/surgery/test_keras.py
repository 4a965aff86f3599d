"""Layers are left out of Keras models, or it is said why they cannot be."""

from __future__ import annotations

import inspect
import random
from functools import partial

import keras
import numpy
import pytest
from keras import layers, ops

from maggy.ablation.components import Layers
from maggy.context.surgery import Checker, ablated, apply, check, matching, names
from maggy.errors import AblationError

pytestmark = [
    pytest.mark.keras,
    # Keras on torch, when NumPy is 2.4
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

X = numpy.linspace(-1, 1, 16 * 6).reshape(16, 6).astype("float32")
Y = (numpy.arange(16) % 3).astype("int32")


def leave(*patterns: str, how: str = "identity", name: str = "it") -> list[Layers]:
    return [Layers(name=name, patterns=patterns, how=how)]


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="my_dense_one"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(4, activation="relu", name="my_dense_two"),
            layers.Dense(4, activation="relu", name="my_dense_three"),
            layers.Dense(3, name="my_dense_out"),
        ]
    )


def encoder() -> keras.Model:
    x = inputs = keras.Input((6,))
    x = layers.Dense(6, name="first")(x)
    x = layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(6, name="last")(x), name="encoder")


def functional() -> keras.Model:
    """Two inputs through one nested encoder, a residual branch, operations, a nested Sequential."""
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = encoder()
    both = layers.Concatenate(name="both")([shared(left), shared(right)])
    x = layers.Dense(6, name="narrow")(both)
    branch = layers.Dense(6, activation="relu", name="branch")(x)
    x = ops.relu(layers.Add(name="add")([x, branch])) * 0.5
    head = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, name="inner"), layers.Dense(3, name="top")], name="head"
    )
    return keras.Model([left, right], head(x))


def weights(model: keras.Model) -> dict[str, numpy.ndarray]:
    """By names of the layer and the weight."""
    found = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found |= weights(layer)
        else:
            found |= {f"{layer.name}/{one.name}": ops.convert_to_numpy(one) for one in layer.weights}
    return found


def train_a_step(model: keras.Model, x=X) -> set[str]:
    """The weights that moved."""
    if not model.built:
        model.build(x.shape)
    before = weights(model)
    if not model.compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.5), loss)
    model.fit(x, Y, verbose=0, shuffle=False, batch_size=16)
    return {path for path, after in weights(model).items() if not numpy.array_equal(after, before[path])}


# --- names ------------------------------------------------------------------------------------


def test_layers_of_nested_models_come_after_these_and_inputs_are_none():
    assert names(functional()) == [
        "encoder", "encoder/first", "encoder/norm", "encoder/last", "both", "narrow", "branch", "add",
        "head", "head/inner", "head/top",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("narrow", ["narrow"]),
        ("encoder/*", ["encoder/first", "encoder/norm", "encoder/last"]),
        ("enc*", ["encoder"]),
        ("NARR*", ["narrow"]),
    ],
)
def test_a_pattern_is_a_name_then_a_shell_pattern_then_either_in_any_case(pattern, found):
    assert matching(functional(), leave(pattern)[0]) == found


def test_a_prefix_passes_over_the_output_unless_that_can_stay():
    model = sequential()
    hidden = ["my_dense_one", "my_dense_two", "my_dense_three"]
    assert matching(model, leave("My_Dense*")[0]) == matching(model, leave("my_dense*", how="zero")[0]) == hidden
    assert matching(model, leave("my_dense*", how="freeze")[0]) == [*hidden, "my_dense_out"]


def test_a_name_that_is_not_there_gets_those_that_are_close():
    with pytest.raises(AblationError, match=r"'my_dense_too'.* Did you mean 'my_dense_two' or ") as caught:
        matching(sequential(), leave("my_dense_too", name="second")[0])
    assert caught.value.component == "second"


# --- what becomes of layers -------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["my_dense_one", "my_dense_three", "drop", "my_dense*"])
def test_without_a_layer_the_rest_of_a_sequential_model_trains(pattern):
    model = apply(sequential(), leave(pattern))
    assert isinstance(model, keras.Sequential) and model.output_shape == (None, 3)
    assert not {one.name for one in model.layers} & set(matching(sequential(), leave(pattern)[0]))
    assert train_a_step(model) == set(weights(model))


@pytest.mark.parametrize(
    "patterns", [["encoder"], ["encoder/first", "encoder/norm"], ["branch", "add"], ["head/inner"]]
)
def test_without_a_layer_the_rest_of_a_functional_model_trains(patterns):
    model = apply(functional(), leave(*patterns))
    assert [name for name in names(functional()) if name not in names(model)] == [
        name for name in names(functional()) if any(name == one or name.startswith(f"{one}/") for one in patterns)
    ]
    assert train_a_step(model, [X, -X]) == set(weights(model))


def test_a_shared_model_stays_shared():
    model = apply(functional(), leave("encoder/norm"))
    assert len([one for one in model.layers if one.name == "encoder"]) == 1
    assert len([path for path in weights(model) if "first" in path]) == 2  # kernel and bias, once


def test_zeros_stand_for_the_output_and_what_comes_before_still_has_gradients():
    whole = functional()
    model = apply(whole, leave("branch", how="zero"))
    x = whole.get_layer("narrow")(whole.get_layer("both")([whole.get_layer("encoder")(one) for one in (X, -X)]))
    expected = ops.convert_to_numpy(whole.get_layer("head")(ops.relu(x) * 0.5))
    assert numpy.allclose(model.predict([X, -X], verbose=0), expected, atol=1e-5)
    moved = train_a_step(model, [X, -X])
    assert {path for path in weights(model) if path not in moved} == {"branch/kernel", "branch/bias"}


def test_zeros_in_a_sequential_model_reach_what_comes_after():
    model = apply(sequential(), leave("my_dense_two", how="zero"))
    assert not keras.Model(model.inputs, model.layers[-3].output).predict(X, verbose=0).any()
    assert train_a_step(model) == {"my_dense_three/bias", "my_dense_out/bias"} - (
        {"my_dense_three/bias"} if not weights(model)["my_dense_three/bias"].any() else set()
    )


@pytest.mark.parametrize("pattern", ["my_dense_two", "my_dense_out"])
def test_a_frozen_layer_keeps_the_weights_that_it_was_made_with(pattern):
    model = sequential()
    frozen = apply(model, leave(pattern, how="freeze"))
    assert set(weights(frozen)) - train_a_step(frozen) == {f"{pattern}/kernel", f"{pattern}/bias"}
    assert train_a_step(model) == set(weights(model))  # what was given is as it was


def load_a_trained_model() -> keras.Model:
    model = sequential()
    model.set_weights([numpy.full_like(one, 0.25) for one in model.get_weights()])
    return model


def test_fresh_weights_replace_those_that_the_generator_loads():
    removals = leave("my_dense_two", how="reinit")
    check(load_a_trained_model, removals)
    fresh = {path for path, one in weights(ablated(load_a_trained_model, removals)()).items() if (one != 0.25).all()}
    assert fresh == {"my_dense_two/kernel", "my_dense_two/bias"}


def test_fresh_weights_for_a_nested_model_are_for_all_in_it():
    def loaded():
        model = functional()
        model.set_weights([numpy.full_like(one, 0.25) for one in model.get_weights()])
        return model

    fresh = {
        path for path, one in weights(apply(loaded(), leave("encoder", how="reinit"))).items() if (one != 0.25).any()
    }
    assert fresh == {path for path in weights(functional()) if path.startswith(("first", "norm", "last"))}


def test_layers_of_several_components_are_left_out_together():
    model = apply(functional(), [*leave("encoder/norm"), *leave("branch", how="zero"), *leave("narrow", how="freeze")])
    moved = train_a_step(model, [X, -X])
    assert {path.split("/")[0] for path in moved} == {"first", "last", "inner", "top"}


# --- pairs: the same seed, with and without -----------------------------------------------------


def test_with_the_same_seed_what_is_left_begins_alike_and_so_does_what_is_drawn_next():
    def begin(factory):
        keras.utils.set_random_seed(3)
        model = factory()
        drawn = random.random(), numpy.random.rand(), float(keras.random.uniform(()))  # noqa: NPY002
        return weights(model), model.get_layer("drop").seed_generator.state.numpy().tolist(), drawn

    whole, whole_seed, next_of_whole = begin(sequential)
    for how in ("identity", "zero", "reinit"):
        rest, seed, next_of_rest = begin(ablated(sequential, leave("my_dense_one", how=how)))
        changed = {path for path in whole if path in rest and not numpy.array_equal(rest[path], whole[path])}
        assert (
            changed
            == {
                "identity": {"my_dense_two/kernel"},  # it has other inputs
                "zero": set(),
                "reinit": {"my_dense_one/kernel"},
            }[how]
        )
        assert next_of_whole == next_of_rest and seed == whole_seed
        assert numpy.array_equal(
            begin(ablated(sequential, leave("my_dense_one", how=how)))[0][min(rest)], rest[min(rest)]
        )


def test_a_layer_that_was_adapted_to_data_still_is():
    def factory():
        scale = layers.Normalization(name="scale")
        scale.adapt(X * 10 + 3)
        return keras.Sequential([keras.Input((6,)), scale, layers.Dense(6, name="hidden"), layers.Dense(3)])

    whole = factory()
    model = apply(whole, leave("hidden"))
    before, after = (ops.convert_to_numpy(one.layers[0](X)) for one in (whole, model))
    assert numpy.array_equal(before, after) and not numpy.allclose(after, X)


def test_names_that_keras_counts_are_counted_from_the_start_for_each_model():
    def factory():
        return keras.Sequential([keras.Input((6,)), *(layers.Dense(6) for _ in range(3)), layers.Dense(3)])

    factory(), factory()  # a worker that has made other models before
    model = ablated(factory, leave("dense_1"))()
    assert [one.name for one in model.layers] == ["dense", "dense_2", "dense_3"]
    assert Checker(factory).names == ["dense", "dense_1", "dense_2", "dense_3"]
    assert layers.Dense(1).name not in names(model)  # what is added to it has another name


# --- what is kept of the model -------------------------------------------------------------------


def squared(y_true, y_pred):
    return ops.mean(ops.square(ops.cast(y_true, "float32")[:, None] - y_pred))


@pytest.mark.parametrize("factory", [sequential, functional])
def test_a_generator_may_compile(factory):
    def compiled():
        model = factory()
        model.compile(keras.optimizers.SGD(0.25, momentum=0.5), squared, metrics=["sparse_categorical_accuracy"])
        return model

    for removals in (
        leave("my_dense_two" if factory is sequential else "encoder/norm"),
        leave("*dense_one" if factory is sequential else "narrow", how="freeze"),
    ):
        model = ablated(compiled, removals)()
        assert model.optimizer.momentum == 0.5 and float(model.optimizer.learning_rate) == 0.25
        history = model.fit(X if factory is sequential else [X, X], Y, verbose=0)
        assert set(history.history) == {"loss", "sparse_categorical_accuracy"}
    assert apply(factory(), removals).compiled is False


class Doubling(keras.Model):
    """A Functional model with a training step of its own."""

    def compute_loss(self, *args, **kwargs):
        return 2 * super().compute_loss(*args, **kwargs)


def test_a_class_with_a_training_step_of_its_own_stays():
    model = functional()
    model = apply(Doubling(model.inputs, model.outputs), leave("encoder"))
    assert type(model) is Doubling
    assert train_a_step(model, [X, X]) == set(weights(model))


def test_one_that_cannot_be_made_of_inputs_and_outputs_is_refused():
    class Narrow(keras.Model):
        def __init__(self, width):
            inputs = keras.Input((6,))
            super().__init__(inputs, layers.Dense(3)(layers.Dense(width, name="hidden")(inputs)))

    with pytest.raises(AblationError, match="the class Narrow cannot be made of inputs and outputs"):
        apply(Narrow(4), leave("hidden"))


def test_frozen_layers_of_the_generator_stay_frozen():
    def factory():
        model = functional()
        model.get_layer("encoder").trainable = False
        model.get_layer("narrow").trainable = False
        return model

    moved = train_a_step(apply(factory(), leave("branch", "add")), [X, -X])
    assert {path.split("/")[0] for path in moved} == {"inner", "top"}


def test_an_ablated_model_can_be_saved(tmp_path):
    for removals in (leave("my_dense_two"), leave("my_dense_two", how="zero"), leave("my_dense_two", how="freeze")):
        model = ablated(sequential, removals)()
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert numpy.allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


# --- what the training function gets --------------------------------------------------------------


def generator(width: int = 6, *, classes: int = 3) -> keras.Model:
    """Generates."""
    return keras.Sequential([keras.Input((6,)), layers.Dense(width, name="hidden"), layers.Dense(classes)])


def test_a_generator_stays_a_function():
    model_function = ablated(generator, leave("hidden"))
    assert model_function.__name__ == "generator" and model_function.__doc__ == "Generates."
    assert inspect.signature(model_function) == inspect.signature(generator)
    assert model_function(5, classes=2).count_params() == 6 * 2 + 2
    assert ablated(partial(generator, classes=4), leave("hidden"))().count_params() == 6 * 4 + 4


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = layers.Dense(6, name="hidden"), layers.Dense(3)

    def call(self, x):
        return self.top(self.hidden(x))


def test_subclassed_models_are_refused_with_advice():
    for wrong in (lambda: ablated(Subclassed, leave("hidden")), lambda: Checker(lambda: Subclassed())):
        with pytest.raises(AblationError, match=r"subclassed Keras model.*study\.model\.\s?add_custom_model_generator"):
            wrong()
    with pytest.raises(AblationError, match="the model is an instance of Sequential; give its class, or a function"):
        ablated(sequential(), leave("drop"))


# --- checks -------------------------------------------------------------------------------------


def test_one_checker_checks_many_variants():
    checker = Checker(functional)
    for removals in (
        leave("encoder"),
        leave("encoder/norm"),
        leave("branch", "add"),
        leave("branch", how="zero"),
        leave("head", how="freeze"),
        leave("head/inner"),
        [*leave("encoder/first"), *leave("encoder/last")],
    ):
        checker.check(removals)


def test_checks_leave_random_streams_and_counters_alone():
    def factory():
        random.random(), numpy.random.rand(), keras.random.uniform(())  # noqa: NPY002
        return sequential()

    def draw():
        return random.random(), numpy.random.rand(), float(keras.random.uniform(()))  # noqa: NPY002

    keras.utils.set_random_seed(1)
    expected = [draw(), draw()]
    counted = keras.backend.get_uid("sequential")
    keras.utils.set_random_seed(1)
    actual = [draw()]
    checker = Checker(factory)
    checker.check(leave("drop"))
    with pytest.raises(AblationError):
        checker.check(leave("my_dense_two", how="reinit"))
    assert [*actual, draw()] == expected
    assert keras.backend.get_uid("sequential") == counted + 1


def unbuilt() -> keras.Model:
    """As the oldest examples have it: the shape of the inputs is known once data comes."""
    return keras.Sequential(
        [
            layers.Dense(6, name="my_dense_one"),
            layers.Flatten(name="flat"),
            layers.Dense(6, name="my_dense_two"),
            layers.Dense(3, name="top"),
        ]
    )


def test_the_shapes_of_a_model_without_an_input_are_checked_with_a_sample_only():
    check(unbuilt, leave("my_dense_two"))
    check(unbuilt, leave("flat"))
    check(unbuilt, leave("my_dense_two"), sample=X)
    with pytest.raises(AblationError, match=r"output would have the shape \[\(2, 4, 3\)\] instead of \[\(2, 3\)\]"):
        check(unbuilt, leave("flat"), sample=lambda: numpy.zeros((2, 4, 6), "float32"))


def test_with_a_sample_it_trains_and_begins_as_the_whole_model_does():
    def begin(factory):
        keras.utils.set_random_seed(3)
        model = factory()
        return train_a_step(model), weights(model)

    moved, rest = begin(ablated(unbuilt, leave("my_dense_two", how="freeze")))
    assert set(rest) - moved == {"my_dense_two/kernel", "my_dense_two/bias"}
    moved, rest = begin(ablated(unbuilt, leave("my_dense_two")))
    assert moved == set(rest) and not any(path.startswith("my_dense_two") for path in rest)
    keras.utils.set_random_seed(3)
    model = ablated(unbuilt, leave("my_dense_two", how="zero"))()
    model.build((None, 6))
    keras.utils.set_random_seed(3)
    base = unbuilt()
    base.build((None, 6))
    assert all(numpy.array_equal(weights(model)[path], one) for path, one in weights(base).items())


def dense(units, name="top"):
    return layers.Dense(units, name=name)


def wired(function, top=lambda: dense(3)):
    """A generator of what a function makes of one input, and a last layer."""

    def factory():
        inputs = keras.Input((4, 6), name="rows")
        return keras.Model(inputs, top()(function(inputs)))

    return factory


def nested(width, *inside):
    return keras.Sequential([keras.Input((4, width)), *inside], name="nest")


SILENT = {
    "a branch that is added becomes the input added to itself": (
        wired(lambda x: layers.add([x, dense(6, "branch")(x)])),
        ["branch"],
        "would get the same tensor more than once, as if a branch were added to itself; with how='zero'",
    ),
    "so it does with an operation": (
        wired(lambda x: x + dense(6, "second")(dense(2, "first")(x))),
        ["first", "second"],
        "'add' would get the same tensor more than once",
    ),
    "a gate of one number becomes the input squared": (
        wired(lambda x: layers.Multiply(name="gated")([x, dense(1, "gate")(x)])),
        ["gate"],
        "'gated' would get the same tensor more than once",
    ),
    "a gate of one number becomes one of many": (
        wired(lambda x: x * ops.sigmoid(dense(1, "gate")(x))),
        ["gate"],
        r"would merge the shapes \(None, 4, 6\) and \(None, 4, 6\) instead of \(None, 4, 6\) and \(None, 4, 1\)",
    ),
    "what is left does not fit together": (
        wired(lambda x: layers.Add(name="sum")([dense(5, "left")(x), dense(5, "right")(x)])),
        ["left"],
        r"'sum' would merge the shapes \(None, 4, 6\) and \(None, 4, 5\) instead of .* Put the layer that merges",
    ),
    "what is left cannot be put together": (
        wired(lambda x: layers.Concatenate(1, name="both")([dense(5, "left")(x), dense(5, "right")(x)])),
        ["left"],
        r"'both' cannot take what it would get, \(None, 4, 6\) and \(None, 4, 5\) instead of \(None, 4, 5\) and",
    ),
    "the output gets another shape": (
        wired(layers.GlobalAveragePooling1D(name="pool")),
        ["pool"],
        r"the model's output would have the shape \[\(None, 4, 3\)\] instead of \[\(None, 3\)\]",
    ),
    "a whole branch would go with the layer that merges it": (
        wired(lambda x: layers.Concatenate(name="both")([x, dense(5, "other")(x)])),
        ["both"],
        "would also cut off 'other', from which nothing would reach the output",
    ),
    "it is the output": (wired(lambda x: x), ["top"], "'top' makes the model's output"),
    "it makes the output within a nested model": (
        wired(lambda x: dense(6, "first")(x), top=lambda: nested(6, dense(6, "last"))),
        ["nest/last"],
        "'nest/last' makes the model's output",
    ),
    "it is an input": (wired(lambda x: x), ["rows"], "'rows' is an input of the model; leave features"),
    "it returns several tensors": (
        wired(lambda x: layers.GRU(6, return_state=True, name="gru")(x)[0]),
        ["gru"],
        "'gru' returns several tensors",
    ),
    "it drops nothing": (wired(layers.Dropout(0, name="drop")), ["drop"], "would change nothing"),
    "it is the identity already": (
        wired(layers.Identity(name="same")),
        ["same"],
        "'same' passes on what it gets as it is",
    ),
    "nothing that is trained is left": (
        wired(lambda x: dense(6, "only")(x), top=layers.Softmax),
        ["only"],
        "without 'only' there is nothing left to train",
    ),
    "all of a nested Sequential goes": (
        wired(lambda x: nested(6, dense(6, "one"))(x)),
        ["nest/one"],
        "nothing would be left of 'nest': leave it out as a whole",
    ),
    "a nested model would get other inputs": (
        wired(lambda x: nested(5, dense(5, "one"))(dense(5, "before")(x))),
        ["before"],
        r"'nest' cannot take what it would get, \(None, 4, 6\) instead of \(None, 4, 5\)",
    ),
    "what comes later in a Sequential does not fit": (
        lambda: nested(6, layers.Flatten(), layers.Reshape((8, 3), name="rows"), dense(2, "first"), layers.LSTM(3)),
        ["rows"],
        r"'lstm' cannot take what it would get, \(None, 2\) instead of \(None, 8, 2\)",
    ),
}


@pytest.mark.parametrize("story", SILENT)
def test_it_is_refused_where(story):
    factory, patterns, message = SILENT[story]
    with pytest.raises(AblationError, match=message) as caught:
        check(factory, leave(*patterns, name="the part"))
    assert caught.value.component == "the part"


@pytest.mark.parametrize(
    ("how", "pattern", "message"),
    [
        ("freeze", "drop", "how='freeze' would change nothing: 'drop' has no weights that are trained"),
        ("reinit", "drop", "how='reinit' would change nothing: 'drop' has no weights"),
        ("reinit", "my_dense_two", "'my_dense_two' are drawn afresh anyway"),
        ("zero", "my_dense_out", "'my_dense_out' makes the model's output"),
        ("freeze", "*", "there is nothing left to train"),
    ],
)
def test_so_it_is_if_nothing_would_change_or_nothing_be_learnt(how, pattern, message):
    with pytest.raises(AblationError, match=message) as caught:
        check(sequential, leave(pattern, how=how, name="the part"))
    assert caught.value.component == "the part"


def test_tensors_that_the_whole_model_merges_with_themselves_are_its_own_affair():
    def attention(x):
        h = layers.LayerNormalization(name="norm")(x)
        return x + layers.MultiHeadAttention(2, 3, name="attention")(h, h)

    checker = Checker(wired(attention))
    checker.check(leave("norm", how="freeze"))
    checker.check(leave("attention"))
    checker.check(leave("norm"))
    with pytest.raises(AblationError, match="same tensor more than once"):
        checker.check(leave("norm", "attention"))


def test_a_layer_that_cannot_be_made_again_says_what_it_lacks():
    class Scale(layers.Layer):
        def __init__(self, function):
            super().__init__(name="scale")
            self.function = function

        def call(self, x):
            return self.function(x)

    with pytest.raises(AblationError, match="the layer 'scale' cannot be made again, which takes a get_config"):
        check(wired(lambda x: dense(6, "hidden")(Scale(ops.relu)(x))), leave("hidden"))


def test_an_input_that_would_be_cut_off_with_a_merge_is_said_also_within_a_nested_model():
    with pytest.raises(AblationError, match="nothing of the input 'right' would reach the output"):
        check(functional, leave("both"))

    def nested() -> keras.Model:
        one, two = keras.Input((6,), name="one"), keras.Input((6,), name="two")
        merged = keras.Model([one, two], layers.Dense(6, name="end")(layers.Add(name="add")([one, two])), name="merged")
        inputs = keras.Input((6,))
        doubled = layers.Dense(6, name="doubled")(inputs)
        return keras.Model(inputs, layers.Dense(1, name="out")(merged([inputs, doubled])))

    with pytest.raises(AblationError, match="nothing of the input 'two' would reach the output"):
        check(nested, leave("merged/add"))
    check(nested, leave("doubled", how="zero"))
