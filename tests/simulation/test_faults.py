"""Workers that come late, are slow, or die."""

from __future__ import annotations

import pytest
from simulation.helpers import grid_of, search_of, times

from maggy import simulate
from maggy.brain import events as ev
from maggy.errors import ConfigError
from maggy.journal import ExperimentFolder, read
from maggy.simulation import LearningCurve, Losses, Stragglers
from maggy.trial import TrialState


def five_steps(params):
    return LearningCurve([0.5] * 5, 2.0)


def journal_of(folder):
    return [(record.t, record.event) for record in read(ExperimentFolder.open(folder))]


def test_workers_come_one_after_another():
    result = simulate(grid_of(4), five_steps, workers=4, start_s=8.0)
    assert times(result) == {0: (0, 0.0, 10.0), 1: (1, 2.0, 12.0), 2: (2, 4.0, 14.0), 3: (3, 6.0, 16.0)}
    assert result.busy_share == 40 / (16 + 14 + 12 + 10)  # who is done early waits for the others


def test_a_worker_that_would_come_too_late_is_not_awaited():
    result = simulate(grid_of(3), lambda params: LearningCurve([0.5]), workers=3, start_s=30.0)
    assert times(result) == {0: (0, 0.0, 1.0), 1: (0, 1.0, 2.0), 2: (0, 2.0, 3.0)}


def test_a_slow_worker_is_given_fewer_trials():
    result = simulate(grid_of(4), five_steps, workers=2, stragglers=lambda worker: 3.0 if worker == 0 else 1.0)
    assert times(result) == {1: (1, 0.0, 10.0), 2: (1, 10.0, 20.0), 0: (0, 0.0, 30.0), 3: (1, 20.0, 30.0)}


def test_a_share_of_the_workers_is_slow():
    result = simulate(grid_of(8), five_steps, workers=8, seed=1, stragglers=Stragglers(share=0.25, factor=4.0))
    assert sorted(trial.run_s for trial in result.trials) == [10.0] * 6 + [40.0] * 2


def test_a_lost_workers_trial_runs_again_from_its_first_step_when_the_worker_is_back(tmp_path):
    result = simulate(
        grid_of(10, lost_limit=100),
        five_steps,
        workers=1,
        seed=1,
        losses=Losses(mtbf_s=25.0, restart_s=3.0),
        experiment_dir=tmp_path,
    )
    journal = journal_of(tmp_path)
    lost = [t for t, event in journal if isinstance(event, ev.WorkerLost)]
    joined = [t for t, event in journal if isinstance(event, ev.WorkerJoined)]
    assert lost
    assert joined == [0.0, *(t + 3.0 for t in lost)]
    assert sum(trial.attempt for trial in result.trials) == len(lost)
    for trial in result.trials:
        assert (trial.state, trial.num_points) == (TrialState.FINISHED, 5)
        assert trial.end - trial.start == pytest.approx(10.0)
        assert trial.attempt == 0 or trial.start in joined[1:]
    begun = [trial.start for trial in result.trials if trial.attempt == 0]
    assert set(begun) <= {0.0, *(trial.end for trial in result.trials)}  # the others waited for nobody


def test_with_checkpoints_a_lost_trial_goes_on_where_it_was(tmp_path):
    simulate(
        grid_of(10, lost_limit=100),
        five_steps,
        workers=1,
        seed=1,
        resumes=True,
        checkpoint_every=1,
        losses=Losses(mtbf_s=25.0, restart_s=3.0),
        experiment_dir=tmp_path,
    )
    steps = {}
    for _, event in journal_of(tmp_path):
        if isinstance(event, ev.MetricsReported):
            steps.setdefault(event.trial, []).extend(event.steps)
    assert any(isinstance(event, ev.WorkerLost) for _, event in journal_of(tmp_path))
    assert list(steps.values()) == [[1, 2, 3, 4, 5]] * 10  # nothing was done twice


def test_a_trial_whose_workers_die_too_often_is_lost():
    result = simulate(
        search_of(20, lost_limit=2),
        lambda params: LearningCurve([0.5], 30.0),
        workers=3,
        seed=1,
        losses=Losses(mtbf_s=20.0, restart_s=0.0),
    )
    assert {trial.state for trial in result.trials} == {TrialState.FINISHED, TrialState.LOST}
    assert result.failed_trials[0].error == "killed by the simulation (worker lost 2 times)"


def test_without_a_trial_a_worker_may_die_as_well():
    result = simulate(
        grid_of(2),
        lambda params: LearningCurve([0.5], 1.0 + 999.0 * params["number"]),
        workers=2,
        seed=1,
        losses=Losses(mtbf_s=100.0, restart_s=1.0),
        resumes=True,
    )
    assert len(result.trials) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Losses(mtbf_s=0.0),
        lambda: Losses(mtbf_s=10.0, restart_s=-1.0),
        lambda: Stragglers(share=1.5, factor=2.0),
        lambda: Stragglers(share=0.5, factor=0.0),
    ],
)
def test_faults_that_cannot_be_are_refused(make):
    with pytest.raises(ConfigError, match="has to be"):
        make()
