"""Where an experiment stands, for whoever asks at any time."""

from maggy.tracking.standing import Standing


def test_before_an_experiment_has_begun_nothing_is_counted_and_every_key_is_there():
    status = Standing().status()
    assert (status["state"], status["ended"], status["running"], status["num_trials"]) == ("starting", 0, 0, 0)
    assert status["best"] is None and status["time_left_s"] is None
