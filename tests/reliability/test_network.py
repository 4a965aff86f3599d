"""A network between driver and workers that goes down, and one that is slow and loses packets: two namespaces of Linux.

One worker stands beside the driver, one behind the network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

HERE, THERE, ADDRESS = "maggy-here", "maggy-there", "10.77.0.1"
SCRIPT = """
import json, subprocess, sys, threading
from maggy import Searchspace, lagom
from maggy.brain import events as ev
from maggy.config import HyperparameterOptConfig
from maggy.engine.base import Launched
from maggy.engine.local import LocalEngine
from maggy.journal import ExperimentFolder, read
from maggy.resuming import replay_experiment

ENTER = "import sys; from maggy.ticket import Ticket; Ticket.from_json(sys.stdin.readline()).enter()"


class Apart(LocalEngine):
    bind_host = sys.argv[2]

    def launch(self, tickets, resources, on_exit):
        places = [[], ["ip", "netns", "exec", sys.argv[3]]]
        seats = []
        for ticket, place in zip(tickets, places):
            seat = subprocess.Popen([*place, sys.executable, "-c", ENTER], stdin=subprocess.PIPE, text=True)
            seat.stdin.write(ticket.to_json() + "\\n")
            seat.stdin.flush()
            seats.append(seat)

        def watch():
            for seat in seats:
                seat.wait()
                seat.stdin.close()
            on_exit(None)

        threading.Thread(target=watch, daemon=True).start()
        return Seats(seats)


class Seats(Launched):
    def __init__(self, seats):
        self.seats = seats

    def stop(self, grace_s):
        for seat in self.seats:
            try:
                seat.wait(grace_s)
            except subprocess.TimeoutExpired:
                seat.kill()
                seat.wait()


def train(x, reporter):
    import time

    for step in range(10):
        reporter.broadcast(x * step, step)
        time.sleep(0.1)
    return x


config = HyperparameterOptConfig(
    int(sys.argv[4]), "randomsearch", Searchspace(x=("DOUBLE", [0.0, 1.0])), es_policy="none", seed=2,
    num_workers=2, experiment_dir=sys.argv[1], lost_limit=9,
)
result = lagom(train, config, engine=Apart(), verbose=0)
told, decider = replay_experiment(sys.argv[1])
events = [record.event for record in read(ExperimentFolder.open(sys.argv[1]))]
finished = [event for event in events if isinstance(event, ev.TrialFinished)]
current = {trial.trial_id: trial.attempt for trial in result.trials}
print(json.dumps({
    "metrics": {trial.trial_id: trial.final_metric for trial in result.trials},
    "params": {trial.trial_id: trial.params["x"] for trial in result.trials},
    "points": [trial.num_points for trial in result.trials],
    "lost": [event.reason for event in events if isinstance(event, ev.WorkerLost)],
    "late": sum(current[event.trial] != event.attempt for event in finished),
    "differences": len(told.differences),
}))
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def network():
    """Two namespaces with a cable between them."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root can make network namespaces, with iproute2")
    with ExitStack() as stack:
        for name in (HERE, THERE):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "maggy0", "netns", HERE, "type", "veth", "peer", "name", "maggy1", "netns", THERE)
        ip("-n", HERE, "addr", "add", f"{ADDRESS}/24", "dev", "maggy0")
        ip("-n", THERE, "addr", "add", "10.77.0.2/24", "dev", "maggy1")
        ip("-n", HERE, "link", "set", "maggy0", "up")
        ip("-n", THERE, "link", "set", "maggy1", "up")
        yield


def start(folder, trials):
    command = ["ip", "netns", "exec", HERE, sys.executable, "-c", SCRIPT, str(folder), ADDRESS, THERE, str(trials)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(folder, text, process):
    """Until the journal holds a text; the experiment tells nobody else."""
    journal = folder / "journal" / "00000000-00000000.jsonl"
    while process.poll() is None and not (journal.exists() and text in journal.read_text()):
        time.sleep(0.1)


def report(process):
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    answer = json.loads(out)
    assert answer["metrics"] == answer["params"]
    assert set(answer["points"]) == {10}
    assert answer["differences"] == 0
    return answer


@pytest.mark.parametrize("down_s", [5, 45])
def test_a_link_that_is_down_for_a_while_loses_nothing_and_counts_nothing_twice(down_s, network, tmp_path, capsys):
    trials = 40 if down_s == 5 else 70
    with start(tmp_path / "run", trials) as process:
        wait_for(tmp_path / "run", '"TrialFinished","trial":5', process)
        ip("-n", HERE, "link", "set", "maggy0", "down")
        time.sleep(down_s)
        ip("-n", HERE, "link", "set", "maggy0", "up")
        answer = report(process)
    assert len(answer["metrics"]) == trials
    if down_s == 5:
        assert answer["lost"] == []
    else:
        assert answer["lost"], "the worker behind the network is given up after 30 s"
    with capsys.disabled():
        print(
            f"\nlink down for {down_s} s: {trials} trials, {len(answer['lost'])} workers given up, "
            f"{answer['late']} late results fenced, every result right"
        )


def test_a_slow_network_that_loses_packets_changes_no_result(network, tmp_path, capsys):
    shape = ["delay", "100ms", "30ms", "loss", "5%"]
    qdisc = ["tc", "-n", HERE, "qdisc", "add", "dev", "maggy0", "root"]
    if subprocess.run([*qdisc, "netem", *shape], capture_output=True).returncode:  # a kernel without netem
        shape = ["rate", "32kbit", "burst", "2kb", "latency", "400ms"]
        subprocess.run([*qdisc, "tbf", *shape], check=True)
    with start(tmp_path / "run", 30) as process:
        answer = report(process)
    assert len(answer["metrics"]) == 30
    with capsys.disabled():
        print(
            f"\nnetwork with {' '.join(shape)}: 30 trials, {len(answer['lost'])} workers given up, every result right"
        )
