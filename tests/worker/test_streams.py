"""What a trial prints goes to its log, line by line."""

import io
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.worker.streams import TrialStream, captured, captured_in_thread


@pytest.fixture
def log():
    return []


def test_whole_lines_are_logged_as_they_are_printed(log, capsys):
    with captured(log.append, echo=False):
        print("epoch 1")
        print("epoch", end="")
        assert log == ["epoch 1"]
        print(" 2")
        assert log == ["epoch 1", "epoch 2"]
    assert capsys.readouterr().out == ""


def test_what_goes_to_standard_error_is_logged_too(log):
    with captured(log.append, echo=False):
        print("a warning", file=sys.stderr)
    assert log == ["a warning"]


def test_a_last_line_without_an_end_is_logged_with_the_trials_end(log):
    with captured(log.append, echo=False):
        print("half a line", end="")
        print("half an error", end="", file=sys.stderr)
        assert log == []
    assert log == ["half a line", "half an error"]


def test_a_progress_bar_that_redraws_its_line_leaves_its_last_state(log):
    with captured(log.append, echo=False):
        for percent in (0, 50, 100):
            print(f"\r{percent} %", end="")
        print()
        print("\r10 %\r20 %", end="")
    assert log == ["100 %", "20 %"]


def test_everything_is_put_back_whatever_the_trial_does(log):
    def train():
        with captured(log.append, echo=False):
            print("before")
            raise ZeroDivisionError

    before = sys.stdout, sys.stderr
    with pytest.raises(ZeroDivisionError):
        train()
    assert (sys.stdout, sys.stderr) == before
    assert log == ["before"]


def test_an_echo_is_also_seen_where_it_would_have_gone(log, capsys):
    with captured(log.append, echo=True):
        print("epoch 1")
        print("a warning", file=sys.stderr)
        sys.stdout.flush()
    assert log == ["epoch 1", "a warning"]
    assert tuple(capsys.readouterr()) == ("epoch 1\n", "a warning\n")


def test_libraries_that_look_closer_find_a_stream(log):
    before = sys.stdout
    with captured(log.append, echo=False):
        assert sys.stdout.writable()
        assert not sys.stdout.isatty()
        assert sys.stdout.encoding == before.encoding
        assert sys.stdout.write("four") == 4
        sys.stdout.writelines(["teen\n", "fifteen\n"])
    assert log == ["fourteen", "fifteen"]


@given(st.lists(st.text(alphabet="ab\n")))
@settings(deadline=None)
def test_the_lines_are_those_of_the_whole_text_however_it_is_cut(pieces):
    log = []
    stream = TrialStream(log.append, sys.__stdout__, echo=False)
    for piece in pieces:
        assert stream.write(piece) == len(piece)
    stream.end()
    *lines, rest = "".join(pieces).split("\n")
    assert log == ([*lines, rest] if rest else lines)


def test_a_progress_bar_that_draws_its_line_over_and_over_leaves_its_last_state():
    lines = []
    with captured(lines.append, echo=False):
        for percent in range(100_000):
            print(f"{percent} of 100000", end="\r")
        print()
        print("a", end="")
        print("b", end="")
    assert lines == ["99999 of 100000", "ab"]


def test_experiments_in_two_threads_leave_the_streams_as_they_were():
    before = sys.stdout
    first, second = captured([].append, echo=False), captured([].append, echo=False)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert sys.stdout is before


def test_a_handler_that_kept_the_stream_of_an_ended_trial_writes_where_it_would_have(capsys):
    lines = []
    with captured(lines.append, echo=False):
        kept = sys.stdout
    kept.write("later\n")
    assert lines == []
    assert capsys.readouterr().out == "later\n"


# --- several trials in threads of one process


def test_what_threads_print_goes_to_the_log_of_each_and_the_programs_own_to_where_it_would_have_gone(capsys):
    logs = {"first": [], "second": []}
    both = threading.Barrier(3)

    def trial(name):
        with captured_in_thread(logs[name].append):
            print(f"{name} begins")
            both.wait(60)  # all three are in the middle of it
            both.wait(60)
            print(f"{name} warns", file=sys.stderr)
            print("half a line", end="")

    before = sys.stdout, sys.stderr
    threads = [threading.Thread(target=trial, args=[name]) for name in logs]
    for thread in threads:
        thread.start()
    both.wait(60)
    print("the program")
    assert sys.stdout.fileno is not None and sys.stdout.encoding == before[0].encoding
    both.wait(60)
    for thread in threads:
        thread.join()

    assert logs == {name: [f"{name} begins", f"{name} warns", "half a line"] for name in logs}
    assert tuple(capsys.readouterr()) == ("the program\n", "")
    assert (sys.stdout, sys.stderr) == before


def test_a_stream_that_was_replaced_while_trials_ran_in_threads_is_left_alone(log, monkeypatch):
    ours = io.StringIO()
    with captured_in_thread(log.append):
        print("the trial")
        monkeypatch.setattr(sys, "stdout", ours)
        print("by its own redirection")
    assert log == ["the trial"]
    assert sys.stdout is ours
    assert ours.getvalue() == "by its own redirection\n"
