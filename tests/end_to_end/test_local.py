"""Worker processes on this machine: started once, kept busy, replaced when they die."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.config import BaseConfig
from maggy.engine.local import LocalEngine
from maggy.errors import EngineError, ExperimentFailedError
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


def test_workers_are_started_once_and_share_the_cores():
    def who(x):
        import os

        return {"Metric": x, "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}

    result = lagom(who, search(20, searchspace=X, num_workers=2), engine="local", verbose=0)

    outputs = [trial.metric_dict for trial in result.trials]
    assert 1 <= len({output["pid"] for output in outputs}) <= 2
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert {output["threads"] for output in outputs} == {str(share)}
    assert os.getpid() not in {output["pid"] for output in outputs}


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_worker_that_dies_is_replaced_and_its_trial_runs_again(how, tmp_path):
    def deadly(x, reporter):
        import os
        import signal

        marker = tmp_path / str(x)
        reporter.broadcast(x)
        if x > 0.5 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else os._exit(3)
        return x

    result = lagom(deadly, search(10, searchspace=X), engine="local", verbose=0)

    undisturbed = lagom(lambda x: x, search(10, searchspace=X), engine="inline", verbose=0)
    assert {t.trial_id: t.final_metric for t in result.trials} == {
        t.trial_id: t.final_metric for t in undisturbed.trials
    }
    assert {t.attempt for t in result.trials if t.params["x"] > 0.5} == {1}
    assert {t.attempt for t in result.trials if t.params["x"] <= 0.5} == {0}


def test_a_trial_that_kills_every_worker_is_given_up_and_the_others_go_on():
    def sometimes_deadly(x):
        import os
        import signal

        if x > 0.8:
            os.kill(os.getpid(), signal.SIGSEGV)
        return x

    result = lagom(sometimes_deadly, search(12, searchspace=X, seed=3), engine="local", verbose=0)

    lost = [trial for trial in result.trials if trial.params["x"] > 0.8]
    assert 0 < len(lost) < 12
    assert {trial.state for trial in lost} == {TrialState.LOST}
    assert {trial.error for trial in lost} == {"its process was ended by SIGSEGV (worker lost 3 times)"}
    assert result["failed"] == len(lost) and result["num_trials"] == 12 - len(lost)


def test_a_single_run_whose_process_always_dies_says_how():
    def out_of_memory():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ExperimentFailedError, match="SIGKILL"):
        lagom(out_of_memory, engine="local", verbose=0)


def test_sys_exit_in_a_trial_fails_the_trial_and_not_the_worker():
    def leaves(x):
        import sys

        if x > 0.5:
            sys.exit("enough")
        return x

    result = lagom(leaves, search(10, searchspace=X), engine="local", verbose=0)

    failed = [trial for trial in result.trials if trial.state is TrialState.FAILED]
    assert {trial.error for trial in failed} == {"SystemExit: enough"}
    assert {trial.attempt for trial in result.trials} == {0}


def test_reading_standard_input_ends_at_once():
    def asks():
        return float(input("metric? "))

    with pytest.raises(ExperimentFailedError, match="EOFError"):
        lagom(asks, engine="local", verbose=0)


def test_what_native_code_and_subprocesses_print_is_in_the_workers_log():
    def shells_out():
        import subprocess

        subprocess.run(["echo", "from a subprocess"], check=True)
        return 1

    result = lagom(shells_out, engine="local", verbose=0)

    assert Path(result.experiment_dir, "workers/0.log").read_text() == "from a subprocess\n"


def test_what_a_trial_leaves_running_is_ended_with_it(tmp_path):
    def leaves_a_child():
        import subprocess

        return subprocess.Popen(["sleep", "1000"]).pid

    result = lagom(leaves_a_child, engine="local", verbose=0)

    child = Path(f"/proc/{int(result['test result'])}/stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"  # dead, perhaps not yet reaped


def test_several_experiments_at_once_do_not_mix():
    results = {}

    def one(seed):
        results[seed] = lagom(lambda x: x, search(15, searchspace=X, seed=seed), engine="local", verbose=0)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for seed, result in results.items():
        alone = lagom(lambda x: x, search(15, searchspace=X, seed=seed), engine="inline", verbose=0)
        assert sorted(result["metric_list"]) == sorted(alone["metric_list"])
    assert len({result.experiment_dir for result in results.values()}) == 3


def test_two_experiments_at_once_on_one_engine_end_each_for_itself(tmp_path):
    engine, folder = LocalEngine(), tmp_path

    def hold(x):
        import time

        (folder / "holding").touch()
        while not (folder / "let-go").exists():
            time.sleep(0.01)
        return x

    def experiment(function):
        config = search(1, searchspace=X, num_workers=1)
        return lagom(function, config, engine=engine, verbose=0)

    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(experiment, hold)
        try:
            while not (folder / "holding").exists():
                assert not long.done()
            short = experiment(lambda x: x)  # would not return if it waited for the workers of both
            assert not long.done()
        finally:
            (folder / "let-go").touch()

    assert short["num_trials"] == long.result()["num_trials"] == 1


def test_experiments_leave_nothing_behind():
    def leftovers():
        threads = {thread.name for thread in threading.enumerate()}
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        return threads, set(children), len(list(Path("/proc/self/fd").iterdir()))

    lagom(lambda x: x, search(2, searchspace=X), engine="local", verbose=0)  # imports what is imported once
    lagom(lambda x: x, search(2, searchspace=X), engine="inline", verbose=0)
    before = leftovers()

    for engine in ("local", "inline"):
        lagom(lambda x: x, search(5, searchspace=X), engine=engine, verbose=0)
        with pytest.raises(ExperimentFailedError):
            lagom(lambda x: 1 / 0, search(5, searchspace=X), engine=engine, verbose=0)

    assert leftovers() == before


def test_a_function_of_the_main_script_and_one_from_a_module_beside_it_both_work(tmp_path):
    (tmp_path / "helpers.py").write_text("def square(x):\n    return x * x\n")
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "import helpers\n"
        "from maggy import lagom, Searchspace\n"
        "class Model:\n"
        "    def __init__(self, x): self.x = x\n"
        "def train(x):\n"
        "    import helpers as again\n"
        "    return helpers.square(Model(x).x) + again.square(0)\n"
        "result = lagom(map_fun=train, searchspace=Searchspace(x=('DISCRETE', [1, 2, 3])), optimizer='gridsearch',\n"
        "               engine='local', verbose=0)\n"
        "print(sorted(result['metric_list']))\n"
    )

    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("[1.0, 4.0, 9.0]\n", "")


def test_verbose_shows_progress_and_summary_and_live_logs(capsys):
    def talks(x, reporter):
        reporter.log(f"hello from {x}")
        return x

    space = Searchspace(x=("DISCRETE", [1, 2]))
    result = lagom(talks, search(2, optimizer="gridsearch", searchspace=space), engine="local", verbose=2)

    shown = capsys.readouterr().err
    assert "[trial 0] hello from 1" in shown
    assert "HPOptimization: 2 of 2 trials, 0 running, best 2 (trial 1: x=2)" in shown
    assert "best      2 in trial 1: x=2" in shown
    assert f"folder    {result.experiment_dir}" in shown


SLEEPER = """
import os, sys, time
from pathlib import Path
from maggy import lagom, Searchspace
from maggy.config import HyperparameterOptConfig

def train(x, reporter):
    if x < 0.9:
        return x
    Path(f".{x}").write_text(str(os.getpid()))
    Path(f".{x}").rename(f"stuck-{x}")
    try:
        while True:
            time.sleep(0.01)
            if how == "broadcasting":
                reporter.broadcast(x)
    finally:
        Path(f"cleaned-{x}").touch()

how = sys.argv[2]
space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
config = HyperparameterOptConfig(10_000, "randomsearch", space, seed=1, es_policy="none")
try:
    result = lagom(train, config, engine=sys.argv[1])
    print("returned", result.interrupted, result["num_trials"] == len(result["metric_list"]), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def _press_ctrl_c(folder: Path, engine: str, how: str, *, stuck: int, times: int = 1) -> tuple[str, str]:
    """Run the script, wait until so many trials are stuck in their function, press Ctrl-C so often."""
    (folder / "script.py").write_text(SLEEPER)
    process = subprocess.Popen(
        [sys.executable, "script.py", engine, how],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list(folder.glob("stuck-*"))) < stuck:
        assert process.poll() is None
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        if times > 1:
            assert process.stderr is not None
            while "Ctrl-C" not in process.stderr.readline():
                pass
            times = 1
    out, err = process.communicate(timeout=60)
    for pid in {path.read_text() for path in folder.glob("stuck-*")}:
        assert not Path("/proc", pid).exists()
    return out, err


@pytest.mark.parametrize("engine", ["local", "inline"])
@pytest.mark.parametrize("how", ["broadcasting", "silent"])
def test_ctrl_c_returns_what_has_finished_and_lets_the_function_clean_up(tmp_path, engine, how):
    stuck = 2 if engine == "local" else 1

    out, err = _press_ctrl_c(tmp_path, engine, how, stuck=stuck)

    assert out == "returned True True\n"
    assert "Ctrl-C: ending, finished trials are kept" in err
    assert "(interrupted)" in err
    assert len(list(tmp_path.glob("cleaned-*"))) == stuck


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    out, _ = _press_ctrl_c(tmp_path, "local", "silent", stuck=2, times=2)

    assert out == "interrupted\n"


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_sigterm_ends_an_experiment_as_ctrl_c_does_and_then_the_program(tmp_path, engine):
    (tmp_path / "script.py").write_text(SLEEPER)
    command = [sys.executable, "script.py", engine, "broadcasting"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as driver:
        while not list(tmp_path.glob("stuck-*")):
            assert driver.poll() is None
        driver.terminate()
        out, err = driver.communicate(timeout=60)

    assert (out, driver.returncode) == ("", 128 + signal.SIGTERM)
    assert "SIGTERM: ending, finished trials are kept" in err
    assert len(list(tmp_path.glob("cleaned-*"))) == len(list(tmp_path.glob("stuck-*")))
    folder = tmp_path / "maggy-runs/HPOptimization/1"
    finished = sum(path.read_text().count('"TrialFinished"') for path in folder.glob("journal/*.jsonl"))
    assert json.loads((folder / "result.json").read_text())["num_trials"] == finished


def test_a_programs_own_handler_of_sigterm_stays(tmp_path):
    script = (
        "import os, signal\n"
        "from maggy import lagom\n"
        "signal.signal(signal.SIGTERM, lambda *args: print('own', flush=True))\n"
        "pid = os.getpid()\n"
        "def train():\n"
        "    import signal\n"
        "    os.kill(pid, signal.SIGTERM)\n"
        "    return 1\n"
        "print(lagom(train, engine='local', verbose=0)['test result'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("own\n1.0\n", 0)


def test_nothing_outlives_a_driver_that_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\n"
        "from pathlib import Path\n"
        "from maggy import lagom\n"
        "def train():\n"
        "    import subprocess\n"
        "    child = subprocess.Popen(['sleep', '1000'])\n"
        "    apart = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "    Path('pids.new').write_text(f'{os.getpid()} {child.pid} {apart.pid}')\n"
        "    Path('pids.new').rename('pids')\n"
        "    time.sleep(1000)\n"
        "lagom(train, engine='local', verbose=0)\n"
    )
    driver = subprocess.Popen([sys.executable, script], cwd=tmp_path)
    while not (tmp_path / "pids").exists():
        assert driver.poll() is None
    watches = [os.pidfd_open(int(pid)) for pid in (tmp_path / "pids").read_text().split()]

    driver.kill()
    driver.wait()

    for watch in watches:
        assert select.select([watch], [], [], 30)[0], "a process outlived its driver"
        os.close(watch)


def test_a_worker_that_is_warned_returns_its_trial_which_runs_again(tmp_path):
    warned = tmp_path / "warned"

    def train(x, reporter):
        import os
        import signal

        reporter.broadcast(0.0)
        if x > 0.5 and not (warned / str(x)).exists():
            (warned / str(x)).mkdir(parents=True)
            os.kill(os.getpid(), signal.SIGTERM)
            while not reporter.preempted:
                pass
            return -1  # half trained
        return x

    result = lagom(train, search(10, searchspace=X, es_policy="none"), engine="local", verbose=0)

    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    assert {trial.trial_id: trial.final_metric for trial in result.trials} == {
        trial.trial_id: trial.params["x"] for trial in result.trials
    }
    assert {trial.attempt for trial in result.trials if trial.params["x"] > 0.5} == {1}
    lost = [record.event for record in read(ExperimentFolder(result.experiment_dir)) if "Lost" in str(record.event)]
    assert len(lost) == len(list(warned.iterdir())) > 0
    assert {event.preempted for event in lost} == {True}


def test_more_cores_per_worker_than_there_are_is_an_error_before_anything_starts():
    with pytest.raises(EngineError, match="one worker asks for 4096 cores"):
        lagom(lambda: 1, BaseConfig(resources_per_worker={"cpu": 4096}), engine="local", verbose=0)
    assert not Path("maggy-runs").exists()


def test_a_function_that_needs_what_the_worker_lacks_says_so(tmp_path, monkeypatch):
    class Unloadable:
        def __reduce__(self):
            return (_import, ("no_such_module",))

    value = Unloadable()

    with pytest.raises(ExperimentFailedError, match="a worker cannot load the training function: ModuleNotFoundError"):
        lagom(lambda: value, engine="local", verbose=0)


def _import(name):
    return __import__(name)


def test_whatever_a_function_says_and_returns_reaches_the_driver_in_some_form():
    def awkward(reporter):
        print("half a character: \udc80")
        print("x" * 150_000)
        for number in range(3_000):
            reporter.log(number)
        return {"Metric": 1, "huge": 2**70, "text": "\udc80", "much": list(range(200_000)), 3: float("nan")}

    result = lagom(awkward, engine="local", verbose=0)

    log = Path(result.experiment_dir, "trials/0/output.log").read_text().splitlines()
    assert log[:2] == ["half a character: ?", "x" * 100_000]
    assert log[2:] == [str(number) for number in range(3_000)]
    outputs = result.best.metric_dict
    assert (outputs["Metric"], outputs["huge"], outputs["text"], outputs["3"]) == (1, str(2**70), "?", "nan")
    assert outputs["much"].startswith("[dropped by Maggy: ")


def test_each_worker_sees_the_gpus_that_are_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,GPU-1f")

    def which(x, reporter):
        import os
        import time

        time.sleep(0.05)
        return {"Metric": x, "gpu": os.environ["CUDA_VISIBLE_DEVICES"]}

    config = search(12, searchspace=X, resources_per_worker={"gpu": 1, "cpu": 0.1}, num_workers=2)
    result = lagom(which, config, engine="local", verbose=0)
    assert {trial.metric_dict["gpu"] for trial in result.trials} == {"4", "7"}

    config = search(12, searchspace=X, resources_per_worker={"gpu": 1}, num_workers=4)
    with pytest.raises(EngineError, match="4 workers of 1 GPUs each do not fit on this machine's 3"):
        lagom(which, config, engine="local", verbose=0)
    with pytest.raises(EngineError, match=r"3 GPUs; one worker asks for .* 4 GPUs"):
        lagom(which, search(2, searchspace=X, resources_per_worker={"gpu": 4}), engine="local", verbose=0)


def test_workers_that_ask_for_half_a_gpu_work_two_on_each(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")

    def which(x, reporter):
        import os
        from pathlib import Path

        me = f"{os.environ['CUDA_VISIBLE_DEVICES']}-{os.getpid()}"
        Path(folder, me).touch()
        while len(list(Path(folder).iterdir())) < 4:  # so that each worker has a trial
            reporter.broadcast(x)
        return x

    folder = str(Path("workers").absolute())
    Path(folder).mkdir()
    config = search(4, searchspace=X, es_policy="none", resources_per_worker={"gpu": 0.5, "cpu": 0.1})
    lagom(which, config, engine="local", verbose=0)
    assert sorted(path.name.partition("-")[0] for path in Path(folder).iterdir()) == ["4", "4", "7", "7"]

    with pytest.raises(EngineError, match=r"5 workers of 0\.5 GPUs each do not fit on this machine's 2: lower num_w"):
        lagom(which, replace(config, num_trials=5, num_workers=5), engine="local", verbose=0)


@pytest.mark.parametrize(
    ("amount", "workers"),
    [(2, 1), (1, 2), (0.75, 2), (0.5, 4), (0.34, 4), (0.3, 6), (1 / 93, 186), (0, 1000)],
)
def test_as_many_workers_share_a_gpu_as_fit_on_it(monkeypatch, amount, workers):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("maggy.engine.local.available_cores", lambda: 1000)
    assert LocalEngine().slots({"gpu": amount}) == workers


def test_a_gpu_and_a_half_is_an_error_and_so_is_half_of_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for amount in (1.5, math.inf):
        with pytest.raises(EngineError, match=f"whole GPUs, or a part of one that it shares, .* asks for {amount} "):
            LocalEngine().slots({"gpu": amount})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(EngineError, match=r"0 GPUs; one worker asks for 1 cores and 0\.5 GPUs"):
        LocalEngine().slots({"gpu": 0.5})


def test_what_a_trial_leaves_running_reports_into_no_other_trial():
    def leaves_a_thread(x, reporter):
        import contextlib
        import threading

        from maggy.errors import EarlyStopException

        def go_on():
            with contextlib.suppress(EarlyStopException):  # which says that the trial is over
                while True:
                    reporter.broadcast(-99.0)
                    reporter.log("from the thread")
                    over.wait(0.001)

        over = threading.Event()
        if x > 0.5:
            threading.Thread(target=go_on, daemon=True).start()
        over.wait(0.05)
        for _ in range(3):
            reporter.broadcast(x)
        return x

    config = search(6, searchspace=X, num_workers=1, es_policy="none")
    result = lagom(leaves_a_thread, config, engine="local", verbose=0)

    quiet = [trial for trial in result.trials if trial.params["x"] <= 0.5]
    assert 0 < len(quiet) < 6
    assert {trial.num_points for trial in quiet} == {3}
    assert {trial.best_metric == trial.params["x"] for trial in quiet} == {True}
    assert not any(Path(result.experiment_dir, f"trials/{trial.trial_id}").exists() for trial in quiet)


def test_every_odd_way_to_leave_a_function_is_a_failed_trial_and_nothing_hangs():
    def odd(way, reporter):
        from maggy.errors import EarlyStopException

        if way == "stop without a metric":
            raise EarlyStopException(None)
        if way == "stop after NaN":
            try:
                reporter.broadcast(float("nan"))
            except ValueError as error:
                raise EarlyStopException(1.0) from error
        if way == "interrupt":
            raise KeyboardInterrupt
        if way == "deep":
            deep = []
            for _ in range(500):
                deep = [deep]
            return {"Metric": 1, "deep": deep}
        if way == "round":
            outputs = {"Metric": 2}
            outputs["self"] = outputs
            return outputs
        return {"Metric": 3, "whole": type("Whole", (int,), {})(7)}

    ways = ["plain", "deep", "round", "stop without a metric", "stop after NaN", "interrupt"]
    space = Searchspace(way=("CATEGORICAL", ways))
    config = search(1, optimizer="gridsearch", searchspace=space, num_workers=1)
    result = lagom(odd, config, engine="local", verbose=0)

    assert {t.params["way"]: t.final_metric for t in result.trials if t.state is TrialState.FINISHED} == {
        "plain": 3.0,
        "deep": 1.0,
        "round": 2.0,
    }
    errors = {t.params["way"]: t.error for t in result.trials if t.state is TrialState.FAILED}
    no_result = "maggy.errors.MetricValueError: the trial was stopped at metric {}, which is no result"
    assert errors == {
        "stop without a metric": no_result.format(None),
        "stop after NaN": no_result.format("nan"),
        "interrupt": "KeyboardInterrupt",
    }
    assert {trial.attempt for trial in result.trials} == {0}


def test_a_reader_of_the_progress_that_goes_away_costs_neither_result_nor_output(tmp_path):
    script = (
        "import os\n"
        "from maggy import lagom, Searchspace\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 2)\n"
        "result = lagom(map_fun=lambda x: x, searchspace=Searchspace(x=('DISCRETE', [1, 2])),\n"
        "               optimizer='gridsearch', engine='local')\n"
        "print(result['num_trials'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == "2\n"


def test_a_result_file_that_cannot_be_written_costs_no_result(capsys):
    def blocks_the_result(x):
        from pathlib import Path

        for folder in Path("maggy-runs").glob("*/1"):
            (folder / "result.json").mkdir(exist_ok=True)
        return x

    result = lagom(blocks_the_result, search(3, searchspace=X), engine="local", verbose=0)

    assert result["num_trials"] == 3
    assert "result.json cannot be written" in capsys.readouterr().out


def test_prints_of_forked_children_are_in_the_workers_log():
    def forks():
        import multiprocessing

        child = multiprocessing.get_context("fork").Process(
            target=print, args=("from a child",), kwargs={"flush": True}
        )
        child.start()
        child.join()
        return 1

    result = lagom(forks, engine="local", verbose=0)

    assert "from a child" in Path(result.experiment_dir, "workers/0.log").read_text()


def test_an_optimizer_that_fails_at_the_very_end_takes_no_result_away(capsys):
    from maggy import Trial
    from maggy.optimizer import AbstractOptimizer

    class Fragile(AbstractOptimizer):
        def __init__(self):
            self.left = [{"x": 0.1}, {"x": 0.2}, {"x": 0.3}]

        def initialize(self):
            pass

        def get_suggestion(self, trial=None):
            return Trial(self.left.pop(0))

        def finalize_experiment(self, trials):
            raise RuntimeError("no more")

    result = lagom(lambda x: x, search(3, searchspace=X, optimizer=Fragile()), engine="inline", verbose=0)

    assert result["num_trials"] == 3
    assert "the optimizer failed after the last trial: RuntimeError: no more" in capsys.readouterr().out
