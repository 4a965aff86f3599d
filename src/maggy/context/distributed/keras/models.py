"""Keras models that train together with those of other ranks, and look like the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.keras.ranks import Ranks, wide
from maggy.context.factory import named_like

_APART = 1_000_003
"""Between the seeds of two ranks. Keras on PyTorch adds the number of draws to the seed."""


class Together:
    """What `fit` of a model does differently on several workers: they see the same numbers and stop together.

    The data is that of a single run, and so is the size of a batch. A mixin in front of the model's own class.
    """

    _gang: Gang

    def settle(self) -> None:
        """Called when the model has become one of several, and when it is compiled."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: Any = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        import keras

        first, last = (keras.callbacks.LambdaCallback(**hooks) for hooks in (self._first(), self._last()))
        callbacks = [first, *self._callbacks_here(callbacks), last]
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs)  # type: ignore[misc]

    def _first(self) -> dict[str, Any]:
        """What is to be done before the user's callbacks, by the name of the hook."""
        return {"on_epoch_end": lambda epoch, logs: self._same_logs(logs)}

    def _last(self) -> dict[str, Any]:
        """What is to be done after them."""
        return {"on_epoch_end": lambda epoch, logs: self._stop_together()}

    def _callbacks_here(self, callbacks: Any) -> list[Any]:
        """The user's callbacks. Of those that write files, one rank on each host has them."""
        import keras

        kinds = keras.callbacks
        given = callbacks.callbacks if isinstance(callbacks, kinds.CallbackList) else keras.tree.flatten(callbacks)
        writers = (kinds.ModelCheckpoint, kinds.CSVLogger, kinds.TensorBoard)
        return [c for c in given if c is not None and (self._gang.local_rank == 0 or not isinstance(c, writers))]

    def _same_logs(self, logs: dict[str, Any]) -> None:
        """Average what ranks have measured differently, in place, so that all callbacks on all ranks see the same."""
        numbers = {name: value for name, value in logs.items() if isinstance(value, float | int)}
        columns = zip(*self._gang.gather("logs", *numbers.values()), strict=True)
        for name, column in zip(numbers, columns, strict=True):
            if len(set(column)) > 1:  # the mean of equals may differ in the last digit
                logs[name] = sum(map(float, column)) / len(column)

    def _stop_together(self: Any) -> None:
        flags = self._gang.gather("stop", float(self.stop_training))
        self.stop_training = any(flag for (flag,) in flags)


class Divided(Together):
    """Each rank passes its items of a batch through the model, and gets the outputs of all items.

    What comes of them is then the same on all ranks, and the same as on one: losses with whatever weights and masks,
    metrics of whatever kind. What a step does beside the forward pass, and models that it calls in other ways, are
    computed by all ranks alike. Gradients are averaged where they are applied.
    """

    _ranks: Ranks

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)  # type: ignore[misc]
        self.settle()

    def settle(self: Any) -> None:
        import keras

        if not self.compiled:
            return
        self.jit_compile = False  # neither XLA nor TorchDynamo takes what ranks tell each other
        for value in list(vars(self).values()):
            if isinstance(value, keras.optimizers.Optimizer):
                mix(value, Averaging, {"_ranks": self._ranks})

    # --- one step

    def train_step(self, data: Any) -> Any:
        with self._ranks.step(self):
            return super().train_step(self._agreed(data))  # type: ignore[misc]

    def test_step(self, data: Any) -> Any:
        with self._ranks.step(self):
            return super().test_step(self._agreed(data))  # type: ignore[misc]

    def _agreed(self, data: Any) -> Any:
        """Targets and weights go with the outputs of all items; of inputs each rank has its own."""
        if not isinstance(data, tuple) or len(data) < 2:
            return data
        return data[0], *(self._ranks.agree(part) for part in data[1:])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward, ranks = super().__call__, self._ranks  # type: ignore[misc]
        plain = len(args) == 1 and kwargs.keys() <= {"training"}
        length = ranks.length(args[0]) if ranks.stepping is self and plain else None
        if length is None:
            return forward(*args, **kwargs)
        with ranks.step(None):
            outputs = forward(ranks.cut(args[0], length), **kwargs)
        return ranks.gather(outputs, length)

    # --- between steps

    def _first(self: Any) -> dict[str, Any]:
        hooks: dict[str, Any] = {
            "on_train_begin": lambda logs: self._begin(),
            "on_test_begin": lambda logs: self._average_statistics(),
            "on_epoch_end": lambda epoch, logs: self._end_epoch(logs),
        }
        if not self.built:  # on TensorFlow it is after the first step
            waiting = [self._begin]
            hooks["on_train_batch_end"] = lambda batch, logs: waiting.pop()() if waiting else None
        return hooks

    def _begin(self: Any) -> None:
        """All ranks begin with the weights of rank 0, and draw random numbers of their own."""
        import keras
        import numpy

        self._assign(self.weights, self._ranks.first)
        for variable in self.non_trainable_variables:
            if variable.name == "seed_generator_state":
                variable.assign(keras.ops.add(variable, numpy.array([self._ranks.rank * _APART, 0])))

    def _end_epoch(self, logs: dict[str, Any]) -> None:
        self._average_statistics()
        self._same_logs(logs)

    def _average_statistics(self: Any) -> None:
        """Those of batch normalization, of which each rank has seen its own items."""
        self._assign(self.non_trainable_variables, self._ranks.mean)

    def _assign(self, variables: Any, combined: Any) -> None:
        floats = [variable for variable in variables if wide(variable) != "int64"]
        for variable, value in zip(floats, combined([variable.value for variable in floats]), strict=True):
            variable.assign(value)


class Averaging:
    """What an optimizer does differently: it applies the mean of the gradients of all ranks."""

    _ranks: Ranks

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        grads = list(grads)
        if (
            trainable_variables is not None
        ):  # TensorFlow's gradients of embeddings are slices that do not say their shape
            trainable_variables = list(trainable_variables)
            grads = [_like(*pair) for pair in zip(grads, trainable_variables, strict=True)]
        return super().apply(self._ranks.mean(grads), trainable_variables)  # type: ignore[misc]


def _like(gradient: Any, variable: Any) -> Any:
    from keras import ops

    return None if gradient is None else ops.reshape(ops.convert_to_tensor(gradient), variable.shape)


def mix(instance: Any, mixin: type, attributes: Mapping[str, Any]) -> None:
    """Put a mixin in front of the class of an instance, which still says that it is of its own class."""
    own = type(instance)
    if not issubclass(own, mixin):
        mixed = named_like(own, (mixin, own), {"__class__": property(lambda self: own), **attributes})
        object.__setattr__(instance, "__class__", mixed)
