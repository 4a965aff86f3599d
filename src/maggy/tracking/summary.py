"""What to print when an experiment has ended."""

from __future__ import annotations

from statistics import median

from maggy.result import Result
from maggy.tracking.progress import show_params
from maggy.trial import Trial, TrialState


def summary(result: Result) -> str:
    """A few lines: the best configuration, what happened to the trials, what stopping saved, where everything is."""
    lines = []
    if "test result" in result:
        lines.append(f"result    {_value(result['test result'])}")
    elif result.best is None:
        lines.append("best      none: no trial has a result")
    else:
        best = result.best
        lines.append(f"best      {_value(best.final_metric)} in trial {best.trial_id}: {show_params(best.params)}")
    if result.best is not None and (checkpoint := result.best.checkpoint) is not None:
        step = "" if checkpoint.step is None else f"step {checkpoint.step}, "
        lines.append(f"state     {checkpoint.url} ({step}{checkpoint.size_bytes / 1e6:.3g} MB)")
    by_state = {state: [t for t in result.trials if t.state is state] for state in TrialState if state.final}
    counts = ", ".join(f"{len(trials)} {_WORDS[state]}" for state, trials in by_state.items() if trials)
    lines.append(f"trials    {counts or 'none ended'}" + (" (interrupted)" if result.interrupted else ""))
    if result.study_stopped is not None:
        lines.append(f"ended     {result.study_stopped}")
    if saved := saved_s(by_state[TrialState.FINISHED], by_state[TrialState.STOPPED]):
        spent = sum((t.duration or 0) / 1000 for t in result.trials)
        lines.append(
            f"saved     about {saved:.1f} s of training by stopping early ({saved / (saved + spent):.0%} of what all "
            f"trials would have taken)"
        )
    late = sum(trial.origin == "fallback" for trial in result.trials)
    if late:
        lines.append(
            f"late      {late} of {len(result.trials)} configurations were drawn at random, because the model was "
            "still at work when a worker asked"
        )
    for trial in result.failed_trials[:3]:
        lines.append(
            f"failed    trial {trial.trial_id}: {(trial.error or 'for no reason that is known').splitlines()[-1]}"
        )
    lines.append(f"folder    {result.experiment_dir}")
    if result.effects is not None:
        lines += ["", str(result.effects)]
    return "\n".join(lines)


def saved_s(finished: list[Trial], stopped: list[Trial]) -> float:
    """Seconds of training that the stopped trials did not take, if each would have taken the finished ones' median."""
    if not finished or not stopped:
        return 0.0
    usual = median((t.duration or 0) / 1000 for t in finished)
    return sum(max(0.0, usual - (t.duration or 0) / 1000) for t in stopped)


_WORDS = {
    TrialState.FINISHED: "finished",
    TrialState.STOPPED: "stopped early",
    TrialState.FAILED: "failed",
    TrialState.LOST: "lost with their workers",
}


def _value(metric: float | None) -> str:
    return "none" if metric is None else f"{metric:.6g}"
