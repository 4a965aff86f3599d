"""What a trial prints goes to its log, line by line."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.worker.streams import TrialStream, captured


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
