"""A result as a notebook shows it."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from maggy.trial import TrialState

if TYPE_CHECKING:
    from maggy.result.result import Result

_SHOWN = 10  # trials


def as_html(result: Result) -> str:
    """A line that sums up, and a table of the best trials."""
    trials, ranked, folder = result.trials, result.ranked, result.experiment_dir
    counts = Counter(trial.state for trial in trials)
    told = ", ".join(f"{counts[state]:,} {state}" for state in TrialState if counts[state]) or "none ended"
    best = result.get("best_val", result.get("test result"))
    lines = [f"<p><b>best {_show(best)}</b> of trials: {told}<br><code>{escape(folder)}</code></p>"]
    if ranked:
        names = list(dict.fromkeys(name for trial in ranked[:_SHOWN] for name in trial.params))
        head = ["trial", "metric", "state", "seconds", *names]
        rows = [
            [
                str(trial.trial_id),
                _show(trial.final_metric),
                str(trial.state),
                "" if trial.duration is None else f"{trial.duration / 1000:.3g}",
                *(_show(trial.params[name]) if name in trial.params else "" for name in names),
            ]
            for trial in ranked[:_SHOWN]
        ]
        caption = f"the best {len(rows)} of {len(ranked):,}" if len(ranked) > len(rows) else "best first"
        lines += [
            f"<table><caption>{caption}</caption><thead><tr>",
            *(f'<th scope="col">{escape(name)}</th>' for name in head),
            "</tr></thead><tbody>",
            *(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows),
            "</tbody></table>",
        ]
    return "".join(lines)


def _show(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
