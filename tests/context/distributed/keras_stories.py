"""What ranks do in the tests of Keras; in a file of its own because each of them imports it."""

from __future__ import annotations

from maggy.config import Distribution
from maggy.context.distributed import is_peer_error, opened
from maggy.errors import EarlyStopException

KERAS = Distribution(framework="keras", timeout_s=60)


def data(rows, seed=0):
    import numpy as np

    x = np.random.default_rng(seed).normal(size=(rows, 5)).astype("float32")
    return x, (x[:, :1] + x[:, 1:2] > 0).astype("float32")


def sequential():
    import keras

    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.Input((5,)), *layers])


def functional():
    """Two inputs, two outputs, a penalty on weights."""
    import keras

    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    both = keras.layers.Dense(6, "tanh", kernel_regularizer="l2")(keras.layers.concatenate([left, right]))
    classes, number = keras.layers.Dense(1, "sigmoid", name="cls")(both), keras.layers.Dense(1, name="reg")(both)
    outputs = {"cls": classes, "reg": number}
    return keras.Model({"left": left, "right": right}, outputs)


def embedding():
    """Items are masked, and so are the outputs."""
    import keras

    layers = [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.SimpleRNN(3, return_sequences=True)]
    return keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])


def subclassed():
    """The class of a model whose layers are wired in code; it is built when it is called."""
    import keras

    class Net(keras.Model):
        def __init__(self, width):
            super().__init__()
            self.width = width
            self.hidden, self.out = keras.layers.Dense(width, "relu"), keras.layers.Dense(1, "sigmoid")

        def call(self, x):
            return self.out(self.hidden(x))

    return Net


def weights_of(net):
    return [weight.tolist() for weight in net.get_weights()]


def fits(gang):
    """Models as a training function has them, which are the same on one worker as on several."""
    with opened(KERAS, gang, seed=7, takes_context=False) as context:
        return {
            "sequential": classifies(context),
            "functional": weighs(context),
            "masked": masks(context),
            "subclassed": is_subclassed(context),
        }


def classifies(context):
    import keras

    from maggy import KerasEpochEnd, Reporter

    (x, y), test = data(53), data(21, seed=1)
    net = context.place(sequential)()
    metrics = ["accuracy", keras.metrics.AUC(name="auc")]
    net.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=metrics)
    reported = []

    class Recording(Reporter):
        def broadcast(self, metric, step=None):
            super().broadcast(metric, step)
            reported.append(metric)

    callbacks = [KerasEpochEnd(Recording(), "val_auc")]
    history = net.fit(x, y, batch_size=8, epochs=3, verbose=0, validation_data=test, callbacks=callbacks)
    return {
        "history": history.history,
        "reported": reported,
        "evaluated": net.evaluate(*test, batch_size=8, verbose=0, return_dict=True)["auc"],
        "predicted": net.predict(test[0], verbose=0).tolist(),
        "weights": weights_of(net),
        "config": keras.saving.serialize_keras_object(net)["class_name"],
        "optimizer": keras.saving.serialize_keras_object(net.optimizer)["class_name"],
        "names": [weight.path.split("/", 1)[-1] for weight in net.weights],
        "alike": isinstance(net, keras.Sequential) and net.__class__ is keras.Sequential,
    }


def weighs(context):
    import numpy as np

    (x, y), generator = data(26), np.random.default_rng(2)
    target = x.sum(1, keepdims=True)
    weights = {"cls": generator.uniform(size=26), "reg": generator.uniform(size=26)}
    net = context.place(functional)()
    net.compile("sgd", {"cls": "binary_crossentropy", "reg": "mse"}, weighted_metrics={"reg": ["mae"]})
    inputs, targets = {"left": x[:, :2], "right": x[:, 2:]}, {"cls": y, "reg": target}
    history = net.fit(inputs, targets, sample_weight=weights, batch_size=8, epochs=2, verbose=0, validation_split=0.3)
    return {"history": history.history, "weights": weights_of(net)}


def masks(context):
    import keras
    import numpy as np

    x = np.random.default_rng(3).integers(0, 9, size=(17, 6))
    net = context.place(embedding)()
    net.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"), metrics=["mae"])
    history = net.fit(x, np.cos(x)[..., None], batch_size=4, epochs=2, verbose=0)
    return {"history": history.history, "weights": weights_of(net)}


def is_subclassed(context):
    kind = subclassed()
    made = context.place(kind)
    net = made(4)
    net.compile("sgd", "mse")
    x, y = data(18)
    history = net.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return {
        "history": history.history,
        "weights": weights_of(net),
        "alike": (isinstance(made, type), made.__name__, net.__class__ is kind, net.width),
    }


def differs(gang, folder):
    """Ranks that do not have the same, or not do the same, and then are stopped in the middle of an epoch."""
    import os
    from pathlib import Path

    import keras

    seen = {"before": keras.config.dtype_policy().name}
    how = Distribution(framework="keras", mixed_precision=True, timeout_s=60)
    try:
        with opened(how, gang, seed=7, takes_context=False) as context:
            seen["within"] = keras.config.dtype_policy().name
            keras.config.set_dtype_policy("float32")
            seen |= disagrees(context, gang, Path(folder)) | shuffles(context, gang, Path(folder))
            is_stopped(context)
    except EarlyStopException:
        seen["after"] = keras.config.dtype_policy().name
        seen["left"] = "TF_CONFIG" in os.environ, keras.distribution.distribution()
    if keras.backend.backend() == "torch":  # whose processes run trial after trial
        with opened(how, gang, seed=7, takes_context=False) as context:
            seen["once more"] = is_subclassed(context)["weights"]
    return seen


def disagrees(context, gang, folder):
    import random

    import keras

    x, y = data(64)
    net = context.place(statistical)()
    net.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    net.set_weights([weight + gang.rank for weight in net.get_weights()])

    def stop_one(epoch, logs):
        if gang.rank == 1 and epoch == 2:
            net.stop_training = True

    path = folder / f"best{gang.rank}.keras"
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=stop_one), keras.callbacks.ModelCheckpoint(path)]
    history = net.fit(x, y, batch_size=16, epochs=5, verbose=0, callbacks=callbacks).history
    return {
        "history": history,
        "weights": weights_of(net),
        "seeds": [v.numpy().tolist() for v in net.non_trainable_variables if v.name == "seed_generator_state"],
        "saved": path.exists(),
        "drawn": random.random(),
    }


def shuffles(context, gang, folder):
    """Each rank for itself; and one of them saves the model."""
    import keras
    import numpy as np

    x, y = data(64)
    order = np.random.default_rng(gang.rank + 10).permutation(64)
    net = context.place(sequential)()
    net.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    learned = net.fit(x[order], y[order], batch_size=16, epochs=30, verbose=0, shuffle=False).history["accuracy"]
    loaded = None
    if gang.rank == 0:  # nobody is waited for
        net.save(folder / "net.keras")
        loaded = keras.models.load_model(folder / "net.keras")
    kinds = loaded and (type(loaded) is keras.Sequential, isinstance(loaded.optimizer, keras.optimizers.Adam))
    return {
        "learned": learned[-1],
        "shuffled": weights_of(net),
        "loaded": loaded and weights_of(loaded),
        "kinds": kinds,
    }


def is_stopped(context):
    import keras

    def stop(batch, logs):
        if batch == 1:
            raise EarlyStopException(logs["loss"])

    net = context.place(sequential)()
    net.compile("sgd", "mse")
    net.fit(*data(64), batch_size=16, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop)])


def statistical():
    import keras

    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)]
    return keras.Sequential([keras.Input((5,)), *layers, keras.layers.Dense(1, "sigmoid")])


def strategic(gang):
    """A loop of TensorFlow's own, by the strategy of the context and by one that the function makes."""
    import os

    with opened(KERAS, gang, seed=7, takes_context=True) as context:
        import tensorflow as tf

        set_up = "TF_CONFIG" in os.environ
        own = tf.distribute.MultiWorkerMirroredStrategy() if gang.size > 1 else tf.distribute.get_strategy()
        losses = [loop(context.strategy), loop(own)]
    return {"losses": losses, "set up": set_up, "left": "TF_CONFIG" in os.environ}


def loop(strategy):
    import keras
    import tensorflow as tf

    x, y = data(32)
    with strategy.scope():
        keras.utils.set_random_seed(1)
        net = sequential()
        optimizer = keras.optimizers.SGD(0.5)
        net(x[:1])
        optimizer.build(net.trainable_variables)
    batches = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices((x, y)).batch(8))

    @tf.function
    def step(items, labels):
        def one(items, labels):
            with tf.GradientTape() as tape:
                losses = keras.losses.binary_crossentropy(labels, net(items, training=True))
                loss = tf.reduce_sum(losses) / 8
            optimizer.apply_gradients(
                zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
            )
            return loss

        return strategy.reduce("SUM", strategy.run(one, (items, labels)), axis=None)

    return [float(step(items, labels)) for _ in range(2) for items, labels in batches]


def maps(gang):
    """A loop of JAX's own: gradients over all devices of all ranks, each of which has its part of the batch."""
    with opened(Distribution(framework="jax", timeout_s=60), gang, seed=7, takes_context=True) as context:
        import jax
        import jax.numpy as jnp
        from jax.sharding import Mesh, NamedSharding
        from jax.sharding import PartitionSpec as P

        x, y = data(32)
        mesh = Mesh(jax.devices(), ("batch",))
        over, everywhere = NamedSharding(mesh, P("batch")), NamedSharding(mesh, P())
        local = [jax.make_array_from_process_local_data(over, part[context.rank :: context.size]) for part in (x, y)]
        weights = jax.device_put(jnp.zeros((5, 1)), everywhere)

        @jax.jit
        def step(weights, x, y):
            loss, gradient = jax.value_and_grad(lambda w: jnp.mean((x @ w - y) ** 2))(weights)
            return weights - 0.1 * gradient, loss

        losses = []
        for _ in range(3):
            weights, loss = step(weights, *local)
            losses.append(float(loss))
        mean = context.mean(float(context.rank), 1)
        return losses, weights.tolist(), len(jax.devices()), context.device in jax.local_devices(), mean


class Left(Exception):  # noqa: N818
    """Nobody parts from the others after this."""


def is_left(gang, dies):
    """Rank 1 does not come to a step, or its process ends; what rank 0 sees."""
    import os

    seen = None
    try:
        with opened(Distribution(framework="keras", timeout_s=12), gang, seed=7, takes_context=False) as context:
            net = context.place(sequential)()
            net.compile("sgd", "mse")
            x, y = data(16)
            net.fit(x, y, verbose=0)
            gang.gather("here")
            if gang.rank == 1 and dies:
                os._exit(1)
            if gang.rank == 0:
                try:
                    net.evaluate(x, y, verbose=0)
                except Exception as error:
                    seen = type(error).__name__, str(error), is_peer_error(error)
            if not dies:
                gang.gather("there")
            raise Left
    except Left:
        return seen


def comes_late(gang):
    """Something has computed already when the ranks are to meet."""
    import keras

    from maggy.errors import ConfigError

    keras.ops.ones(3) + 1
    try:
        with opened(KERAS, gang, seed=7, takes_context=False):
            return "met"
    except ConfigError as error:
        return str(error)
