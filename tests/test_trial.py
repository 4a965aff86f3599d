"""A trial as the developer API knows it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.trial import Checkpoint, Curve, Trial, TrialState


def test_a_new_trial_waits_and_knows_nothing():
    trial = Trial({"lr": 0.1})
    assert (trial.trial_id, trial.state, trial.final_metric, trial.duration) == (None, TrialState.PENDING, None, None)
    assert (trial.early_stop, trial.metric_history, trial.step_history) == (False, [], [])


def test_histories_and_duration_are_read_from_the_curve_and_the_times():
    trial = Trial({}, curve=Curve([1, 2], [0.5, 0.25]), start=100.0, end=101.5)
    trial.curve.extend([4], [0.125])
    assert (trial.step_history, trial.metric_history) == ([1, 2, 4], [0.5, 0.25, 0.125])
    assert len(trial.curve) == 3
    assert trial.duration == 1500.0  # milliseconds, as the original counted


def test_which_states_are_final_which_have_a_result_and_which_were_stopped_early():
    assert {state for state in TrialState if state.final} == {"finished", "stopped", "failed", "lost"}
    assert {state for state in TrialState if state.has_result} == {"finished", "stopped"}
    assert {state for state in TrialState if Trial({}, state=state).early_stop} == {"stopping", "stopped"}


@given(
    params=st.dictionaries(
        st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    ),
    state=st.sampled_from(TrialState),
    metric=st.none() | st.floats(allow_nan=False),
    curve=st.none() | st.lists(st.floats(allow_nan=False)),
    checkpoint=st.none()
    | st.builds(
        Checkpoint,
        url=st.text(),
        attempt=st.integers(),
        step=st.none() | st.integers(),
        size_bytes=st.integers(),
        seconds=st.floats(allow_nan=False),
    ),
)
@settings(deadline=None)
def test_a_trial_survives_json(params, state, metric, curve, checkpoint):
    points = None if curve is None else Curve(list(range(len(curve))), curve)
    trial = Trial(params, {"sample_type": "random"}, 3, state, metric, curve=points, attempt=1, reason="median")
    trial.checkpoint = checkpoint
    assert Trial.from_json(trial.to_json()) == trial
