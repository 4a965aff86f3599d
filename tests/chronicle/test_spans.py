"""Who ran what when, over the life of several drivers."""

from brain.helpers import Finished, Joined, Judged, Reported, Started, Suggested

from maggy.chronicle import About, Chronicle
from maggy.journal import Record
from maggy.trial import TrialState

ABOUT = {"kind": "HyperparameterOptConfig", "config": {}, "num_trials": 2, "seed": 1, "engine": "local", "started": 0.0}


def told(*story):
    """The chronicle of events, each with its time."""
    chronicle = Chronicle(About.of("/runs/1", ABOUT))
    for number, (t, event) in enumerate(story):
        chronicle.add(Record(number, t, event))
    return chronicle


def test_nobody_has_worked_while_there_was_no_driver_though_the_next_one_answers_before_it_says_that_it_is_there():
    chronicle = told(
        (0.0, Started(0, 2)),
        (1.0, Joined(0)),
        (1.0, Suggested(ask=0, trial=0, lr=0.1)),
        (5.0, Reported(0, step=1, value=0.5)),
        (1000.0, Judged(0, step=1, stop=False)),
        (1000.0, Started(1, 2)),
        (1002.0, Joined(1)),
        (1009.0, Finished(0, attempt=1)),
    )
    first, second = chronicle.spans
    assert (first.worker, first.start, first.end, first.state) == (0, 1.0, 5.0, None)
    assert (second.worker, second.start, second.end, second.state) == (1, 1002.0, 1009.0, TrialState.FINISHED)
    assert [(worker.joined, worker.lost) for worker in chronicle.workers.values()] == [(1.0, 5.0), (1002.0, None)]
    assert chronicle.drivers == [0.0, 1000.0]
    assert chronicle.tally.utilisation(1009.0) == 1.0
