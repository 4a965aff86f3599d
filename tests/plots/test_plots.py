"""What figures show is what the trials are."""

import math
import sys

import pytest
from plots.helpers import simulated

from maggy import Searchspace, lagom
from maggy.brain.events import Promoted
from maggy.chronicle import About, Chronicle
from maggy.config import HyperparameterOptConfig
from maggy.errors import PlotError, UnknownNameError
from maggy.journal import ExperimentFolder, read
from maggy.plots import (
    PLOTS,
    curves,
    history,
    importance,
    importances,
    parallel,
    pareto,
    rungs,
    save,
    slices,
    suitable,
    template,
    timeline,
)
from maggy.simulation import LearningCurve
from maggy.trial import TrialState


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def results(chronicle):
    return {trial.trial_id: trial.final_metric for trial in chronicle.trials.values() if trial.state.has_result}


def test_the_history_has_every_result_the_best_so_far_and_what_failed(stopping):
    shown = traces(history(stopping))
    groups = [shown[name] for name in ("finished", "stopped early")]
    drawn = {number: y for group in groups for number, y in zip(group.customdata, group.y, strict=True)}
    assert drawn == results(stopping)
    assert set(shown["stopped early"].customdata) == {
        trial.trial_id for trial in stopping.ended if trial.state is TrialState.STOPPED
    }
    best = list(shown["best so far"].y)
    assert best == sorted(best, reverse=True)
    assert best[-1] == min(results(stopping).values()) == stopping.tally.best
    failed = next(trace for name, trace in shown.items() if name.startswith("failed"))
    assert set(failed.customdata) == {trial.trial_id for trial in stopping.ended if not trial.state.has_result}
    assert max(shown["best so far"].x) == len(stopping.ended)


def test_the_history_over_time_counts_from_the_beginning(stopping):
    shown = traces(history(stopping, by="time"))
    longest = max(trial.end for trial in stopping.ended) - stopping.drivers[0]
    assert max(shown["best so far"].x) == pytest.approx(longest)


def test_a_search_with_rungs_has_a_mark_for_each_of_them(asha):
    shown = traces(history(asha))
    assert {"rung 0", "rung 1", "rung 2", "best so far"} <= set(shown)
    assert len({shown[f"rung {rung}"].marker.symbol for rung in range(3)}) == 3


def test_a_trial_that_runs_on_keeps_its_mark_and_is_no_failure(asha):
    told = Chronicle(asha.about)
    running_on = 0
    for record in read(ExperimentFolder.open(asha.about.url)):
        told.add(record)
        if not isinstance(record.event, Promoted):
            continue
        running_on += 1
        shown = traces(history(told))
        marks = {
            number: y
            for name, trace in shown.items()
            if name.startswith("rung")
            for number, y in zip(trace.customdata, trace.y, strict=True)
        }
        assert marks[record.event.trial] == told.trials[record.event.trial].rungs[-1][1]
        assert shown["best so far"].y[-1] == min(marks.values())
        failed = {trial.trial_id for trial in told.ended if trial.state is TrialState.FAILED}
        drawn = [trace.customdata for name, trace in shown.items() if name.startswith("failed")]
        assert {number for numbers in drawn for number in numbers} == failed
    assert running_on > 5


def test_a_thin_history_keeps_every_best_and_the_worst_and_says_so(stopping):
    figure = history(stopping, most=12)
    shown = traces(figure)
    drawn = [y for name in ("finished", "stopped early") for y in shown[name].y]
    assert len(drawn) == 12
    assert set(shown["best so far"].y) <= set(drawn)
    assert max(results(stopping).values()) in drawn
    assert f"12 of {len(results(stopping))} trials shown" in figure.layout.title.text


def test_curves_show_what_was_reported(stopping):
    best = stopping.tally.best_trial
    few = traces(curves(stopping, trials=[best]))
    trial = stopping.trials[best]
    line = few[f"trial {best}"]
    assert list(line.x[:-1]) == trial.step_history
    assert list(line.y[:-1]) == trial.metric_history

    many = traces(curves(stopping))
    assert list(many[f"best: trial {best}"].y[:-1]) == trial.metric_history
    reported = sum(bool(trial.num_points) for trial in stopping.trials.values())
    assert sum(list(line.x).count(None) for line in many.values()) == reported


def test_the_best_curve_is_of_a_trial_that_has_a_result(tmp_path):
    chronicle = simulated(tmp_path, lambda params: LearningCurve([1 + 100 * params["lr"]] * 3), trials=20)
    better = min(chronicle.trials.values(), key=lambda trial: trial.final_metric)
    assert f"best: trial {better.trial_id}" in traces(curves(chronicle))
    better.state = TrialState.FAILED  # as if it had failed after its last report
    names = traces(curves(chronicle))
    assert f"best: trial {better.trial_id}" not in names and "failed" in names


def test_few_of_many_curves_are_the_best_the_worst_and_some_between(stopping):
    figure = curves(stopping, most=10)
    shown = sum(list(line.x).count(None) for line in figure.data)
    assert shown == 10
    assert "10 of" in figure.layout.title.text
    last = {trial.metric_history[-1] for trial in stopping.trials.values() if trial.num_points}
    drawn = {y for line in figure.data for y in line.y}
    assert {min(last), max(last)} <= drawn


def test_an_unknown_trial_is_said(stopping):
    with pytest.raises(UnknownNameError, match=r"unknown trial 999"):
        curves(stopping, trials=[999])


def test_rungs_have_each_budget_and_how_many_came_to_it(asha):
    figure = rungs(asha)
    shown = traces(figure)
    climbers = [trial for trial in asha.trials.values() if trial.rungs]
    points = [(x, y) for line in figure.data for x, y in zip(line.x, line.y, strict=True) if x is not None]
    assert sorted(points) == sorted(point for trial in climbers for point in trial.rungs)
    assert sum(x is None for x in shown["one rung"].x) == sum(len(trial.rungs) == 1 for trial in climbers)
    top = sum(any(budget == 9 for budget, _ in trial.rungs) for trial in climbers)
    assert list(figure.layout.xaxis.tickvals) == [1, 3, 9]
    assert figure.layout.xaxis.ticktext[2] == f"9<br>{top}"
    assert figure.layout.xaxis.title.text.startswith("budget")


def test_parallel_coordinates_have_an_axis_for_each_hyperparameter_and_say_what_is_absent(stopping):
    figure = parallel(stopping)
    assert list(figure.layout.xaxis.ticktext) == ["lr", "optimizer", "momentum", "layers", "Metric"]
    finished = [trial for trial in stopping.trials.values() if trial.state.has_result]
    *lines, marks = figure.data
    assert sorted(marks.customdata) == sorted(trial.trial_id for trial in finished)
    assert len({line.line.color for line in lines}) == len(lines) > 3
    drawn = [line.y[at : at + 5] for line in lines for at in range(0, len(line.y), 6)]
    assert len(drawn) == len(finished)
    powers = [math.log10(trial.params["lr"]) for trial in finished]
    places = sorted((power - min(powers)) / (max(powers) - min(powers)) for power in powers)
    assert sorted(line[0] for line in drawn) == pytest.approx(places)
    assert sorted(line[1] for line in drawn) == sorted(float(trial.params["optimizer"] == "adam") for trial in finished)
    absent = next(tick.y for tick in figure.layout.annotations if tick.text == "absent")
    assert [line[2] for line in drawn].count(absent) == sum("momentum" not in trial.params for trial in finished)
    ticks = {tick.text for tick in figure.layout.annotations}
    assert {"sgd", "adam", "0.001", "0.01"} <= ticks


def test_slices_show_each_hyperparameter_over_the_metric_on_its_own_scale(stopping):
    figure = slices(stopping)
    shown = traces(figure)
    for name in ("lr", "momentum", "layers"):
        there = [trial for trial in stopping.trials.values() if trial.state.has_result and name in trial.params]
        points = sorted(zip(shown[name].x, shown[name].y, strict=True))
        assert points == sorted((trial.params[name], trial.final_metric) for trial in there)
    assert [figure.layout.xaxis.type, figure.layout.xaxis3.type] == ["log", "linear"]
    assert list(figure.layout.xaxis2.ticktext) == ["sgd", "adam"]
    assert [trace.name for trace in slices(stopping, params=["layers"]).data] == ["layers"]
    with pytest.raises(UnknownNameError, match=r"unknown hyperparameter 'lrr'\. Did you mean 'lr'"):
        slices(stopping, params=["lrr"])


def test_importance_finds_what_the_metric_depends_on_and_always_says_the_same(stopping):
    told = importances(stopping)
    assert next(iter(told)) == "lr"
    assert told["lr"] > 0.5
    assert sum(told.values()) == pytest.approx(1)
    assert set(told) == {"lr", "optimizer", "momentum", "layers"} == set(told.spread)
    assert told.explained > 0.5
    bars = importance(stopping).data[0]
    assert list(bars.x) == list(told.values())


def test_importance_of_too_few_trials_is_refused(tmp_path):
    few = simulated(tmp_path / "few", trials=5)
    with pytest.raises(PlotError, match="importance needs 12 trials with a result, and there are"):
        importances(few)


def test_nothing_is_important_where_every_trial_comes_to_the_same(tmp_path):
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]), y=("DOUBLE", [0.0, 1.0]))
    config = HyperparameterOptConfig(20, "randomsearch", space, es_policy="none", seed=1, experiment_dir=tmp_path / "e")
    told = lagom(lambda x, y: 1.0, config, engine="inline", verbose=0).importance()
    assert (dict(told), told.explained) == ({"x": 0.0, "y": 0.0}, 0.0)


def test_the_front_is_what_no_other_trial_beats(two):
    shown = traces(pareto(two))
    front = next(trace for name, trace in shown.items() if name.startswith("front"))
    points = [(trial.final_metric, trial.metric_dict["speed"]) for trial in two.ended]
    beaten = [a for a in points if any(b != a and b[0] <= a[0] and b[1] >= a[1] for b in points)]
    assert sorted(zip(front.x, front.y, strict=True)) == sorted(set(points) - set(beaten))
    assert len(shown["beaten by another"].x) == len(beaten)
    assert front.line.shape == "hv"  # from the smallest loss on, the best speed so far
    across = traces(pareto(two, objectives=("speed", "loss")))
    assert set(across["beaten by another"].x) <= {-1, -2, -3, -4}


def test_a_front_of_one_objective_is_refused(asha):
    with pytest.raises(PlotError, match="a front needs two objectives, and there is one: 'Metric'"):
        pareto(asha)


def test_any_objective_has_its_history(two):
    assert traces(history(two, objective="speed"))["best so far"].y[-1] == -1
    with pytest.raises(UnknownNameError, match=r"unknown objective 'sped'\. Did you mean 'speed'"):
        history(two, objective="sped")


def test_the_timeline_has_a_bar_for_each_run_and_shows_when_workers_were_there(stopping):
    shown = traces(timeline(stopping))
    began = stopping.drivers[0]
    bars = [bar for name, bar in shown.items() if name != "idle"]
    drawn = [pair for bar in bars for pair in zip(bar.customdata, bar.x, strict=True)]
    assert sorted(drawn) == sorted((span.trial, span.end - span.start) for span in stopping.spans)
    assert "set back" in shown
    there = dict(zip(shown["idle"].y, zip(shown["idle"].base, shown["idle"].x, strict=True), strict=True))
    assert len(there) == len(stopping.workers)
    for row, number in enumerate(sorted(stopping.workers)):
        worker = stopping.workers[number]
        assert there[row] == pytest.approx((worker.joined - began, (worker.lost or stopping.last_t) - worker.joined))


def test_a_thin_timeline_draws_short_runs_together_and_loses_no_time(stopping):
    figure = timeline(stopping, most=20)
    drawn = [bar for bar in figure.data if bar.name != "idle"]
    assert sum(len(bar.x) for bar in drawn) <= 20
    assert "short runs are drawn together" in figure.layout.title.text
    assert sum(sum(bar.x) for bar in drawn) >= sum(span.end - span.start for span in stopping.spans) - 1e-6


def test_what_cannot_be_shown_yet_is_said_and_what_never_can_is_refused(asha):
    empty = Chronicle(asha.about)
    for name in ("history", "curves", "rungs", "parallel", "slices", "timeline"):
        assert PLOTS[name](empty).layout.annotations[0].text.startswith("No ")
    with pytest.raises(PlotError, match="effects are those of an ablation study"):
        PLOTS["effects"](asha)


def test_budgets_that_are_not_given_out_have_no_rungs(stopping):
    with pytest.raises(PlotError, match="no budgets"):
        rungs(stopping)


def test_the_plots_that_suit_an_experiment_can_be_drawn(asha, stopping, two):
    assert suitable(stopping) == ["history", "curves", "slices", "parallel", "importance", "timeline"]
    assert set(suitable(asha)) - set(suitable(stopping)) == {"rungs"}
    assert "pareto" in suitable(two) and "curves" not in suitable(two)
    for chronicle in (asha, two):
        for name in suitable(chronicle):
            assert PLOTS[name](chronicle).data


def test_a_metric_far_out_does_not_squeeze_the_others(tmp_path):
    def wild(params):
        return 1e12 if params["lr"] > 0.05 else params["layers"] + params["lr"]

    chronicle = simulated(tmp_path / "wild", wild)
    far = sum(trial.final_metric == 1e12 for trial in chronicle.ended)
    assert 0 < far < 15
    figure = history(chronicle)
    assert figure.layout.yaxis.range[1] < 100
    assert f"{far} far worse" in figure.layout.title.text
    marks = parallel(chronicle).data[-1]
    assert sorted(marks.y)[-far:] == [1.0] * far
    assert len({round(y, 2) for y in marks.y}) > 3


def test_text_of_users_is_no_markup(tmp_path):
    def fails(params):
        raise ValueError("<b>bold</b>")

    chronicle = simulated(tmp_path / "markup", lambda p: fails(p) if p["layers"] == 1 else loss_of(p), trials=20)
    failed = next(trace for trace in history(chronicle).data if trace.name.startswith("failed"))
    assert "&lt;b&gt;" in failed.hovertext[0]


def loss_of(params):
    return params["lr"]


@pytest.mark.parametrize(
    ("module", "draws", "says"),
    [
        ("plotly.graph_objects", history, r"a plot needs plotly: pip install 'maggy\[plots\]'"),
        ("sklearn.ensemble", importance, r"importance needs scikit-learn: pip install 'maggy\[plots\]'"),
        (
            "kaleido",
            lambda chronicle: save(history(chronicle), "a.png"),
            r"a picture needs kaleido: .* or save a\.html",
        ),
    ],
)
def test_what_is_not_installed_is_said(monkeypatch, stopping, module, draws, says):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PlotError, match=says):
        draws(stopping)


def test_a_theme_changes_the_page_and_can_let_it_through():
    assert template("light").layout.paper_bgcolor != template("dark").layout.paper_bgcolor
    assert template("dark", transparent=True).layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_a_page_needs_no_network_and_other_suffixes_are_refused(tmp_path, asha):
    path = save(rungs(asha), tmp_path / "rungs.html")
    page = path.read_text()
    assert "<script src" not in page and "Plotly.newPlot" in page
    with pytest.raises(PlotError, match=r"not as '\.docx'"):
        save(rungs(asha), tmp_path / "rungs.docx")


def test_trials_outside_of_the_space_are_shown_with_what_they_have(asha):
    about = About.of(asha.about.url, {**asha.about.raw, "config": {**asha.about.raw["config"], "searchspace": None}})
    bare = Chronicle(about)
    bare.trials.update(asha.trials)
    shown = traces(slices(bare))
    assert set(shown) == {"lr", "optimizer", "momentum", "layers"}
