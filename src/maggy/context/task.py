"""What every worker gets once: the training function with everything about it that no trial changes."""

from __future__ import annotations

import dis
import inspect
import os
import pickle
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import cloudpickle

from maggy.context.binding import Binding
from maggy.context.data import lies_in, resolve
from maggy.context.distributed import Alone, Context, Gang, opened
from maggy.context.metric import read_return
from maggy.context.probe import Probe
from maggy.errors import FunctionNotPicklableError, FunctionTooLargeError
from maggy.seeds import seed_of

if TYPE_CHECKING:  # a worker needs neither configs nor search spaces, unless what it unpacks has them
    from maggy.config import Distribution
    from maggy.context.arrangement import Arrangement

LIMIT_BYTES = 64 << 20
"""A larger task is refused: every worker would fetch it, and data belongs into files."""

LARGE_BYTES = 4 << 20
"""Of a larger task the user is told what weighs so much."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training function and its fixed arguments.

    function          called once for each trial
    optimization_key  where the metric is, if the function returns a dict
    further_keys      where further objectives are
    fixed             arguments that are the same in every trial, by name; data as handles
    hparams           hyperparameters that are the same in every trial
    seed              of the experiment
    keras_backend     what the driver's Keras runs on, if that is said anywhere
    arrangement       of an ablation study: what of all this a trial gets
    distribution      how the workers of a trial train together; None: a trial has one, and nothing is set up
    """

    function: Callable[..., Any]
    optimization_key: str
    further_keys: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    hparams: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    keras_backend: str | None = field(default_factory=lambda: os.environ.get("KERAS_BACKEND"))
    arrangement: Arrangement | None = None
    distribution: Distribution | None = None

    def run(
        self, params: Mapping[str, Any], reporter: Any, gang: Gang | None = None
    ) -> tuple[float, dict[str, Any] | None]:
        """Call the function with one configuration; return its metric, and the dict if it returned one.

        Data is opened afresh, so that a trial that changes it changes nothing for the next one.

        gang  the workers that run the trial together; None: one alone

        Raises whatever the function raises, AblationError, the errors of `read_return`, and those of `opened`.
        """
        taken = self._binding.meanings
        others: dict[str, Callable[[], Any]] = {
            name: partial(resolve, value) for name, value in self.fixed.items() if name in taken
        }
        hparams = dict(params)
        if self.arrangement is not None:
            hparams, others = self.arrangement.arrange(params, others)
        hparams = {**self.hparams, **hparams}
        process = self.distribution.process_data if self.distribution is not None else None
        if process is not None and "dataset" in others:
            others["dataset"] = partial(_processed, process, others["dataset"])
        others["reporter"] = lambda: reporter
        trial = getattr(reporter, "trial_id", None) or 0

        def seed() -> Any:
            return hparams["seed"] if "seed" in hparams else seed_of(self.seed, "trial", trial)

        others["seed"] = seed
        takes_context = "context" in taken
        # Worked out only where something follows from it: that takes longer than all else that is done for a trial.
        own = seed() if takes_context or self.distribution is not None else 0
        own = own if isinstance(own, int) else 0  # a hyperparameter of this name may be anything
        with opened(self.distribution, gang or Alone(), seed=own, takes_context=takes_context) as context:
            arguments = self._binding.arguments(hparams, {**others, **_in(context, others)})
            try:
                returned = self.function(**arguments)
            finally:
                del arguments
            return read_return(returned, self.optimization_key, self.further_keys)

    def data(self) -> Iterator[Any]:
        """The data of the config, as handles."""
        yield from self.fixed.values()
        if self.arrangement is not None:
            yield from self.arrangement.data()

    @cached_property
    def _binding(self) -> Binding:
        return Binding(self.function)


def _processed(process: Callable[[Any], Any], make: Callable[[], Any]) -> Any:
    return process(make())


def _in(context: Context, others: Mapping[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
    """What a context makes of the arguments, and itself."""
    ways = {"model": context.place, "dataset": context.share_first, "train_set": context.share}
    made: dict[str, Callable[[], Any]] = {"context": lambda: context}
    for name, way in ways.items():
        if name in others:
            made[name] = lambda way=way, make=others[name]: way(make())  # type: ignore[misc]
    return made


def dumps(value: Any) -> bytes:
    """The pickled value; modules that lie beside the user's script travel with it, installed ones do not."""
    with modules_by_value():
        packed: bytes = cloudpickle.dumps(value)
        return packed


def pack(task: Task) -> bytes:
    """The pickled task. Modules that lie beside the user's script travel with it, installed ones are expected there.

    Raises FunctionNotPicklableError, which names what cannot travel, or FunctionTooLargeError.
    """
    with modules_by_value():
        try:
            packed = dumps(task)
        except Exception as error:  # a __reduce__ may raise anything
            guilty = _guilty(task)
            plural = "s" * (len(guilty) > 1)
            names = f"its variable{plural} {', '.join(map(repr, guilty))}" if guilty else "a part of it"
            advice = "Make it inside the function instead, so that every worker makes its own"
            if any(isinstance(value, ModuleType) for value in guilty.values()):
                advice = "A module travels whole; import from it only the names that are needed"
            raise FunctionNotPicklableError(
                f"the training function cannot be sent to a worker: {names} cannot be pickled "
                f"({type(error).__name__}: {error}). {advice}",
                tuple(guilty),
            ) from error
        if len(packed) > LIMIT_BYTES:
            raise FunctionTooLargeError(
                f"the training function weighs {len(packed) / 1e6:.0f} MB pickled (largest: {largest(task)}); at most "
                f"{LIMIT_BYTES / 1e6:.0f} MB are sent to each worker. Load data inside the function from a path, or "
                f"hand it over in the config (train_set=, test_set=, dataset=)",
                size_bytes=len(packed),
                limit_bytes=LIMIT_BYTES,
            )
    return packed


def lend(task: Task) -> bytes:
    """What unpacks to this very task, in this process, as long as somebody holds it: nothing of it is pickled."""
    _lent[id(task)] = task
    return pickle.dumps(_Loan(id(task)))


_lent: WeakValueDictionary[int, Task] = WeakValueDictionary()


@dataclass(frozen=True)
class _Loan:
    """Stands for a task that is lent; `number` is its id."""

    number: int

    def __reduce__(self) -> tuple[Any, ...]:
        return _borrow, (self.number,)


def _borrow(number: int) -> Task:
    return _lent[number]


def largest(task: Task) -> str:
    """The variables of a training function that weigh most, with their sizes."""
    weights = {name: len(cloudpickle.dumps(value)) for name, value in _variables(task).items() if _picklable(value)}
    sizes = sorted(((weight, name) for name, weight in weights.items()), reverse=True)
    return ", ".join(f"{name!r} {size / 1e6:.0f} MB" for size, name in sizes[:3] if size > 1e6)


def unpack(packed: bytes, probe: Probe | None = None) -> Task:
    """The task, on a worker, from the driver whose key was checked.

    probe  looks whether this machine sees the experiment's folder; None: nobody looks

    Raises ExperimentDirError if it has data in the experiment's folder, and this machine does not see that.
    """
    task = cloudpickle.loads(packed)
    assert isinstance(task, Task)
    if probe is not None and any(lies_in(probe.folder, value) for value in task.data()):
        probe.check()
    if task.keras_backend is not None:
        os.environ.setdefault("KERAS_BACKEND", task.keras_backend)
    return task


def _variables(task: Task) -> dict[str, Any]:
    """What travels with the function, by name: its globals, closure, defaults and fixed arguments."""
    variables = {**task.fixed, **task.hparams}
    function = inspect.unwrap(task.function)
    if isinstance(function, partial):
        variables |= inspect.signature(function.func).bind_partial(*function.args, **function.keywords).arguments
        function = function.func
    if inspect.ismethod(function):
        variables |= getattr(function.__self__, "__dict__", {})
        function = function.__func__
    if not inspect.isfunction(function):
        return variables | getattr(function, "__dict__", {})
    known = {name: function.__globals__[name] for name in names_in(function.__code__) if name in function.__globals__}
    variables |= {name: value for name, value in known.items() if value is not function}
    with suppress(ValueError):  # a variable of the closure that has no value yet
        variables |= inspect.getclosurevars(function).nonlocals
    parameters = inspect.signature(function).parameters
    return variables | {name: p.default for name, p in parameters.items() if p.default is not p.empty}


def names_in(code: CodeType) -> Iterator[str]:
    """The global names that a function and the functions within it use; names of attributes are none."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in _ON_GLOBALS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


_ON_GLOBALS = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
"""The last two in the body of a class."""


def _guilty(task: Task) -> dict[str, Any]:
    """The variables that cannot be pickled; of a function from another module, the globals of that module at fault."""
    guilty: dict[str, Any] = {}
    for name, value in _variables(task).items():
        if _picklable(value):
            continue
        inner: dict[str, Any] = {}
        if inspect.isfunction(value):
            used = [(name, value.__globals__[name]) for name in names_in(value.__code__) if name in value.__globals__]
            inner = {f"{value.__module__}.{name}": item for name, item in used if not _picklable(item)}
        guilty |= inner or {name: value}
    return guilty


def _picklable(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True


@contextmanager
def modules_by_value() -> Iterator[None]:
    """Pickle the user's own modules by value: a cluster does not have the files beside a script or notebook."""
    with _registering:
        known = cloudpickle.list_registry_pickle_by_value()
        own = [module for name, module in list(sys.modules.items()) if is_users_own(name, module) and name not in known]
        for module in own:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in own:
                cloudpickle.unregister_pickle_by_value(module)


_registering = threading.RLock()
"""Cloudpickle has one list of such modules for all threads. Re-entrant, because pickling may run the user's code."""


def is_users_own(name: str, module: ModuleType) -> bool:
    """Whether a module is a Python file of the user's, and not installed."""
    file = getattr(module, "__file__", None) or ""
    if not file.endswith(".py") or getattr(module, "__name__", None) != name:
        return False
    provided = name.partition(".")[0] in _PROVIDED or "site-packages" in file or "dist-packages" in file
    return not provided and not file.startswith(_STANDARD_LIBRARY)


_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_PROVIDED = frozenset({"__main__", "__mp_main__", "maggy", "pyspark", "py4j"})
"""Modules that are never shipped: cloudpickle ships what it needs of the first two, workers have the others."""
