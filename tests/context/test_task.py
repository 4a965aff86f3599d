"""The training function travels once, whole or not at all."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
import textwrap
import threading

import cloudpickle
import pytest

from maggy.context import Task, largest, lend, pack, task, unpack
from maggy.errors import FunctionNotPicklableError, FunctionTooLargeError, ReturnKeyError

LOCK = threading.Lock()


def packed(function, **parts):
    return pack(Task(function=function, optimization_key="Metric", **parts))


# --- running


def test_a_task_runs_its_function_with_one_configuration_after_another():
    def train(lr, layers, dataset, reporter):
        return {"Metric": lr * layers, "dataset": dataset, "reporter": reporter}

    here = Task(function=train, optimization_key="Metric", fixed={"dataset": "D"}, hparams={"layers": 2})
    there = unpack(pack(here))
    for lr in (0.5, 0.25):
        assert there.run({"lr": lr}, "R") == (2 * lr, {"Metric": 2 * lr, "dataset": "D", "reporter": "R"})
        assert there.run({"lr": lr, "layers": 4}, "R")[0] == 4 * lr  # what is searched goes before what is fixed


def test_what_the_function_raises_comes_through():
    def train(lr):
        return {"loss": 1 / lr}

    there = unpack(packed(train))
    with pytest.raises(ZeroDivisionError):
        there.run({"lr": 0}, None)
    with pytest.raises(ReturnKeyError, match="its keys are 'loss'"):
        there.run({"lr": 1}, None)


def test_a_task_that_is_lent_is_the_same_object_as_long_as_somebody_holds_it():
    lock = threading.Lock()
    here = Task(function=lambda lr: lock.acquire() and lr, optimization_key="Metric")

    loan = lend(here)

    assert unpack(loan) is here
    del here
    gc.collect()
    with pytest.raises(KeyError):
        unpack(loan)


# --- what cannot travel is named


def in_a_closure():
    lock = threading.Lock()
    return lambda lr: lock.acquire() and lr


def in_a_global():
    return lambda lr: LOCK.acquire() and lr


def in_a_function_within():
    def train(lr):
        def step():
            return LOCK.acquire()

        return step() and lr

    return train


def in_a_default():
    def train(lr, guard=threading.Lock()):  # noqa: B008  that is the mistake
        return guard.acquire() and lr

    return train


def in_a_keyword_default():
    def train(lr, *, guard=threading.Lock()):  # noqa: B008
        return guard.acquire() and lr

    return train


def in_a_partial():
    return functools.partial(lambda guard, lr: lr, threading.Lock())


def in_a_keyword_of_a_partial():
    return functools.partial(lambda guard, lr: lr, guard=threading.Lock())


class Trainer:
    def __init__(self):
        self.guard = threading.Lock()

    def __call__(self, lr):
        return lr

    def fit(self, lr):
        return lr


def behind_a_decorator():
    def train(lr):
        return LOCK.acquire() and lr

    @functools.wraps(train)
    def wrapped(*args, **kwargs):
        return train(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize(
    ("function", "variable"),
    [
        (in_a_closure(), "lock"),
        (in_a_global(), "LOCK"),
        (in_a_function_within(), "LOCK"),
        (in_a_default(), "guard"),
        (in_a_keyword_default(), "guard"),
        (in_a_partial(), "guard"),
        (in_a_keyword_of_a_partial(), "guard"),
        (Trainer(), "guard"),
        (Trainer().fit, "guard"),
        (behind_a_decorator(), "LOCK"),
    ],
)
def test_a_function_that_holds_a_lock_is_refused_with_the_name_of_what_holds_it(function, variable):
    with pytest.raises(FunctionNotPicklableError) as caught:
        packed(function)
    assert caught.value.variables == (variable,)
    assert str(caught.value).startswith(
        f"the training function cannot be sent to a worker: its variable {variable!r} cannot be pickled (TypeError: "
    )
    assert str(caught.value).endswith("Make it inside the function instead, so that every worker makes its own")


def test_every_variable_at_fault_is_named_and_none_of_the_others():
    first, fine, second = threading.Lock(), [1, 2], threading.Lock()

    def train(lr):
        return first, fine, second

    with pytest.raises(FunctionNotPicklableError, match="its variables 'first', 'second' cannot be pickled"):
        packed(train)


def test_an_argument_of_the_config_that_cannot_travel_is_named_too():
    with pytest.raises(FunctionNotPicklableError) as caught:
        packed(lambda lr: lr, fixed={"dataset": threading.Lock()}, hparams={"layers": 2})
    assert caught.value.variables == ("dataset",)


def test_an_attribute_that_is_named_like_a_global_is_not_at_fault():
    images = threading.Lock()

    class Page:
        LOCK = 1

    def train(lr):
        return Page.LOCK, images

    with pytest.raises(FunctionNotPicklableError, match="its variable 'images' cannot be pickled"):
        packed(train)


def test_the_variables_that_weigh_most_are_found_beside_one_that_travels_by_name():
    from concurrent.futures import thread  # an installed module, whose functions use a lock of that module

    images = bytes(2_000_000)
    large = Task(function=thread._python_exit, optimization_key="Metric", fixed={"model": lambda: images})
    assert len(pack(large)) > 2_000_000
    assert largest(large) == "'model' 2 MB"


def test_what_is_too_large_says_how_large_and_which_variable(monkeypatch):
    monkeypatch.setattr(task, "LIMIT_BYTES", 5_000_000)
    images, labels = bytes(4_000_000), bytes(2_000_000)

    def train(lr):
        return len(images) + len(labels) + lr

    with pytest.raises(FunctionTooLargeError) as caught:
        packed(train)
    assert caught.value.limit_bytes == 5_000_000
    assert 6_000_000 < caught.value.size_bytes < 6_010_000
    assert str(caught.value).startswith(
        "the training function weighs 6 MB pickled (largest: 'images' 4 MB, 'labels' 2 MB); at most 5 MB are sent"
    )
    assert "Load data inside the function from a path" in str(caught.value)


# --- where code travels by value, and where by reference


def test_installed_packages_travel_by_name_and_what_lies_beside_the_script_by_value():
    def by_name(lr):
        return cloudpickle.dumps(lr)

    def by_value(lr):
        return helper(lr)

    assert len(packed(by_name)) < 1500
    assert b"helper_says_so" in packed(by_value)
    assert unpack(packed(by_value)).run({"lr": 2}, None) == (4.0, None)


def helper(lr):
    """A function of this module, which is installed nowhere: helper_says_so."""
    return lr * 2


def test_packing_leaves_the_users_own_registrations_alone():
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        packed(helper)
        assert module.__name__ in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    packed(helper)
    assert module.__name__ not in cloudpickle.list_registry_pickle_by_value()


def test_two_experiments_that_pack_at_once_do_not_disturb_each_other():
    failures = []
    interval = sys.getswitchinterval()

    def pack_often():
        for _ in range(20):
            try:
                assert b"helper_says_so" in packed(helper)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=pack_often) for _ in range(3)]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


PACK = """
    import sys, sibling
    from package.inner import OFFSET
    from maggy.context import Task, pack

    FACTOR = 3

    class Model:
        def predict(self, lr):
            return sibling.double(lr) * FACTOR + OFFSET

    def train(lr):
        return Model().predict(lr)

    open(sys.argv[1], "wb").write(pack(Task(function=train, optimization_key="Metric")))
"""
UNPACK = """
    import sys
    from maggy.context import unpack

    print(unpack(open(sys.argv[1], "rb").read()).run({"lr": 5}, None)[0], "sibling" in sys.modules)
"""


@pytest.mark.parametrize("how", ["as a script", "on standard input, as a notebook does"])
def test_a_script_travels_with_the_modules_beside_it(tmp_path, how):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "package").mkdir(parents=True)
    there.mkdir()
    (here / "script.py").write_text(textwrap.dedent(PACK))
    (here / "sibling.py").write_text("def double(lr):\n    return 2 * lr\n")
    (here / "package" / "__init__.py").write_text("")
    (here / "package" / "inner.py").write_text("OFFSET = 7\n")
    (there / "worker.py").write_text(textwrap.dedent(UNPACK))
    parcel = tmp_path / "parcel"

    script = ["script.py"] if how == "as a script" else ["-c", "import sys; exec(sys.stdin.read())"]
    subprocess.run(
        [sys.executable, *script, str(parcel)], input=(here / "script.py").read_text(), text=True, cwd=here, check=True
    )
    worker = subprocess.run(
        [sys.executable, "worker.py", str(parcel)], cwd=there, check=True, capture_output=True, text=True
    )
    assert worker.stdout == "37.0 False\n"  # 2 * 5 * 3 + 7


def test_a_global_of_the_module_that_a_function_comes_from_is_named(tmp_path, monkeypatch):
    (tmp_path / "guarded.py").write_text(
        "import threading\n_lock = threading.Lock()\ndef work(x):\n    with _lock:\n        return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from guarded import work

    with pytest.raises(FunctionNotPicklableError) as caught:
        packed(lambda x: work(x))
    assert caught.value.variables == ("guarded._lock",)


@pytest.mark.parametrize(("theirs", "then"), [(None, "jax"), ("tensorflow", "tensorflow")])
def test_keras_runs_on_what_the_driver_says_unless_the_worker_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, theirs: str | None, then: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    packed = pack(Task(function=len, optimization_key="Metric"))
    monkeypatch.delenv("KERAS_BACKEND")
    if theirs is not None:
        monkeypatch.setenv("KERAS_BACKEND", theirs)

    unpack(packed)

    assert os.environ["KERAS_BACKEND"] == then
