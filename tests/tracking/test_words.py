"""What all views say in the same words."""

import pytest

from maggy.chronicle import TimeLeft
from maggy.tracking.words import clock, duration, one_line, show_left, show_params, spark, without_secrets


def test_a_configuration_on_one_line():
    assert show_params({"lr": 0.000123456, "layers": 2, "opt": "adam", "units": [64, 32]}) == (
        "lr=0.0001235 layers=2 opt=adam units=[64, 32]"
    )
    assert show_params({}) == ""
    assert show_params({"prompt": "two\nlines \x1b[2J"}) == "prompt=two lines  [2J"


@pytest.mark.parametrize(
    ("seconds", "low", "high", "said"),
    [
        (240, 190, 350, "about 4 min left (3 to 6)"),
        (40, 33.2, 44.9, "about 40 s left (33 to 45)"),
        (7200, 7200, 7200, "about 2 h left"),
        (86400 * 3, 86400 * 2.5, 86400 * 3.5, "about 3 days left (2 to 4)"),
        (100, 0, 150, "about 2 min left (0 to 3)"),
        (0.5, 0, 3, ""),
    ],
)
def test_how_long_it_will_take_and_how_sure_that_is(seconds, low, high, said):
    assert show_left(TimeLeft(seconds, low, high)) == said


def test_where_nobody_can_know_how_long_it_takes_nothing_is_said():
    assert show_left(None) == ""


def test_time_that_has_passed():
    assert [clock(seconds) for seconds in (0, 7.9, 725, 10925)] == ["0:00", "0:07", "12:05", "3:02:05"]
    assert [duration(seconds) for seconds in (0.0123, 0.41, 12, 210, 7200, 864000)] == [
        "12 ms",
        "0.4 s",
        "12 s",
        "3.5 min",
        "2.0 h",
        "10 days",
    ]


def test_whatever_could_move_a_cursor_is_taken_out():
    assert one_line("a\tb\r\nc\x07") == "a b c "


def test_a_course_as_blocks_has_the_newest_values():
    assert spark([0, 1, 2, 3], 8) == "▁▃▆█"
    assert spark([9, 9, 0, 7], 2) == "▁█"
    assert spark([5, 5], 8) == "▁▁" and spark([], 8) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("API request to http://bob:s3cret@h:9/api failed", "API request to http://h:9/api failed"),
        ("unsupported URI 'bob:s3cret@h' for it", "unsupported URI 'h' for it"),
        ("postgresql+psycopg://bob:s3@cret@h/db", "postgresql+psycopg://h/db"),
        ("https://t0ken@h/, ask me@h.org: soon", "https://h/, ask me@h.org: soon"),
    ],
)
def test_who_goes_in_at_an_address_is_not_shown(text, shown):
    assert without_secrets(text) == shown
