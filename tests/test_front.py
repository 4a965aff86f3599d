"""Places among very many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy import front
from maggy.front import Ranking


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(front, "_CHUNK", 2)
        yield


@given(st.lists(st.one_of(st.sampled_from([0.1, 0.2, 0.3]), st.none()), max_size=40))
def test_a_ranking_is_a_sorted_list_of_pairs(losses):
    """None takes the first one out."""
    ranking, pairs = Ranking(), []
    for number, loss in enumerate(losses):
        if loss is not None:
            ranking.add(loss, number)
            pairs.append((loss, number))
            pairs.sort()
        elif pairs:
            assert ranking.pop() == pairs.pop(0)
        assert len(ranking) == len(pairs)
        assert [ranking[place] for place in range(len(pairs))] == pairs
        assert [ranking.place(*pair) for pair in pairs] == list(range(len(pairs)))
        assert [ranking.place(loss) for loss, _ in pairs] == [
            sum(each < loss for each, _ in pairs) for loss, _ in pairs
        ]
    with pytest.raises(IndexError):
        ranking[len(pairs)]
