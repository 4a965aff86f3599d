from hypothesis import given
from hypothesis import strategies as st

from maggy.plots.thin import share, thinned


@given(st.integers(0, 300), st.integers(1, 100), st.data())
def test_so_many_are_drawn_evenly_spread_and_what_has_to_be_is_among_them(count, most, data):
    keep = data.draw(st.lists(st.integers(0, max(0, count - 1)), max_size=most, unique=True)) if count else []
    places = thinned(count, most, keep)
    assert len(places) == min(count, most)
    assert places == sorted(set(places))
    assert set(keep) <= set(places) <= set(range(count))


def test_a_figure_says_how_much_it_does_not_draw():
    assert thinned(100_000, 4) == [0, 25_000, 50_000, 75_000]
    assert share(1000, 100_000) == "1,000 of 100,000 trials shown"
    assert share(7, 7) == ""
