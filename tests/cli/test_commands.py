"""All commands together, and those that need no experiment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.cli import main, parser


def subcommands():
    (action,) = (each for each in parser()._actions if each.dest == "command")
    return action.choices


def test_every_command_teaches_itself(capsys):
    for name, command in subcommands().items():
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        said = capsys.readouterr().out
        assert f"maggy {name}" in said
        assert "examples:" in said
        assert command.description


def test_the_version_is_that_of_the_package(capsys):
    import maggy

    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"maggy {maggy.__version__}\n"


def test_every_command_that_tells_something_tells_it_as_json():
    without = {name for name, command in subcommands().items() if "--json" not in command._option_string_actions}
    assert without <= {"join", "completion", "ui"}


def test_help_loads_nothing_heavy():
    code = "from maggy.cli import parser; parser().format_help(); import sys; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in answer.stdout.split()}
    assert not loaded & {"numpy", "fsspec", "zmq", "cloudpickle", "msgspec", "rich", "pyspark", "torch", "shtab"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands_and_their_options(shell, capsys):
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    for word in ("doctor", "simulate", "early-stopping"):
        assert word in said


def test_bash_completes_what_was_begun(capsys):
    assert main(["completion", "bash"]) == 0
    Path("maggy.bash").write_text(capsys.readouterr().out)
    script = 'source maggy.bash; COMP_WORDS=(maggy do); COMP_CWORD=1; _shtab_maggy; echo "${COMPREPLY[@]}"'
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "doctor\n"


# --- simulate


def simulated(capsys, *arguments):
    capsys.readouterr()
    assert main(["simulate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_search_that_was_recorded_is_played_with_more_workers(recorded, capsys):
    """With the seed of the experiment, its own configurations come again, and so do their curves."""
    from maggy.chronicle import Chronicle

    chronicle = Chronicle.of(recorded)
    alone, six = simulated(capsys, recorded, "--workers", "1,6", "--seed", "5")
    assert alone["best"] == six["best"] == chronicle.tally.best
    assert alone["best_params"] == chronicle.tally.best_params
    took = [trial.run_s for trial in chronicle.trials.values()]
    assert alone["took_s"] == pytest.approx(sum(took))
    assert six["took_s"] == pytest.approx(max(took))
    assert [each["trials"] for each in (alone, six)] == [6, 6]
    (other,) = simulated(capsys, recorded, "--workers", "2", "--optimizer", "tpe", "--trials", "9")
    assert other["trials"] == 9


def test_a_search_that_nobody_has_run_is_played_with_curves_that_are_made_up(capsys):
    asha = ["--optimizer", "asha:resource_max=9", "--early-stopping", "none", "--trials", "27"]
    one, eight = simulated(capsys, "space.toml", *asha, "--workers", "1,8", "--steps", "9", "--step-seconds", "60")
    assert one["busy"] == pytest.approx(1.0)
    assert one["took_s"] > 4 * eight["took_s"]
    assert one["trained_s"] < 27 * 9 * 90  # most stop before their ninth step
    assert simulated(capsys, "space.toml", *asha, "--workers", "8", "--steps", "9")[0] == eight


def test_what_cannot_be_simulated_is_said(capsys):
    assert main(["simulate", "space.toml"]) == 2
    assert "--trials 20" in capsys.readouterr().err
    assert main(["run", "train.py:train", "--hparams", "x=0.5", "--engine", "inline", "-q", "--dir", "one"]) == 0
    assert main(["simulate", "one"]) == 2
    assert "one holds no search" in capsys.readouterr().err
