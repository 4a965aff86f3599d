"""What is made of stopped trials, and of rules on made-up curves."""

import pytest

from benchmarks.stopping.leaving import samples, table
from benchmarks.stopping.quality import saved_and_lost
from benchmarks.stopping.rules import FINISHED_FIRST, AshaStopping
from benchmarks.stopping.work import train
from maggy.earlystop import ThresholdRule
from maggy.trial import Curve


class LeftError(Exception):
    pass


def test_a_trial_that_is_told_at_the_fourth_step_leaves_there_and_one_that_is_told_too_late_pays_for_the_steps():
    def stop_from(first):
        def report(step):
            if step >= first:
                raise LeftError

        return report

    assert train(0.0, stop_from(4), LeftError)["paid"] == 0
    assert train(0.0, stop_from(6), LeftError)["paid"] == 2
    assert train(0.0, stop_from(99), LeftError) == {"paid": -1}


def test_each_round_gives_one_value_and_what_a_contestant_did_not_say_is_left_out():
    rounds = [[{"leave_s": 0.001, "paid": 0}, {"leave_s": 0.003, "paid": 1}], [{"leave_s": 0.005, "paid": 0}]]
    assert samples(rounds[:1])["leave_p50"] == [2.0]
    assert samples(rounds[:1])["paid"] == [0.5]
    assert "report_p50" not in samples(rounds[:1])
    assert samples([]) == {}


def test_a_contestant_that_failed_stays_in_the_table_with_a_note():
    rows = table(0.02, {"Ray Tune, actors reused": []}, {"Ray Tune, actors reused": "failed: no"}).rows
    assert [(row.side, row.samples, row.note) for row in rows] == [("peer", {}, "failed: no")]


def test_what_a_rule_saves_is_counted_in_epochs_and_what_it_loses_by_the_best_that_ran_to_its_end():
    good = [Curve([1, 2, 3, 4], [0.8, 0.6, 0.4, 0.3])] * FINISHED_FIRST
    late = Curve([1, 2, 3, 4], [0.9, 0.9, 0.9, 0.1])
    figures = saved_and_lost(ThresholdRule(0.7, after_step=2), [*good, late], unit=0.4)
    assert figures["saved"] == pytest.approx(2 / 44)
    assert figures["lost"] == pytest.approx((0.3 - 0.1) / 0.4)
    assert figures["stopped"] == pytest.approx(1 / 11)


def test_asha_as_a_rule_keeps_the_best_third_at_each_rung():
    flat = [Curve(list(range(1, 10)), [loss] * 9) for loss in (0.5, 0.6, 0.4, 0.7)]
    figures = saved_and_lost(AshaStopping(3), flat, unit=1.0)
    assert figures["lost"] == 0.0
    assert figures["stopped"] == 0.5
