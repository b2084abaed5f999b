"""The compact multimap behind the gazetteer."""

from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories.index import NameIndex

ENTRIES = st.lists(st.tuples(st.text(max_size=4), st.integers(0, 2**31 - 1)))


@given(ENTRIES, st.text(max_size=4))
def test_it_answers_as_a_dict_of_lists_does(entries, other):
    """Every name has its numbers in the order in which they came; an unknown name has none."""
    known = {}
    for name, number in entries:
        known.setdefault(name, []).append(number)
    index = NameIndex(iter(entries))
    for name in {*known, other}:
        assert index.get(name) == known.get(name, [])
        assert (name in index) == (name in known)
