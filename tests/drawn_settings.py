"""Settings that Hypothesis draws, of any class, from all that the class allows.

They are drawn as values by name. Objects are made of them in the tests: as they are made, their
annotations are checked, partly at random, which no strategy may be.
"""

from hypothesis import strategies as st

from jaxdream.settings import (
    ClipSettings,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomSettings,
    default,
    describe,
)

# What a word of a command line can hold. No option takes "--".
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30
).filter(lambda text: text != "--")
names = texts.filter(bool)


def settings_of(cls, **own):
    """A strategy of what a class of settings is called with.

    Args:
        own: strategies of settings that cannot have any value within their range.
    """
    each = {name: _values(known, default(cls, name)) for name, known in describe(cls).items()}
    return st.fixed_dictionaries(each | own)


def _values(known, standard):
    if known.choices:
        values = st.sampled_from(known.choices)
    elif known.kind is bool:
        values = st.booleans()
    elif known.kind is int:
        values = st.integers(known.minimum, known.maximum)
    elif known.kind is float:
        values = st.floats(known.minimum, known.maximum, exclude_min=known.exclusive)
    else:
        values = texts
    if known.count > 1:
        values = st.tuples(*[values] * known.count)
    return st.just(standard) | values


_no_mask = {"mask_invert": st.just(False), "mask_feather": st.just(0.0)}

dreams = settings_of(DreamSettings, steps=st.integers(1, 10**5))
sources = settings_of(SourceSettings, mask=st.none(), **_no_mask) | settings_of(
    SourceSettings, mask=names
)
zooms = settings_of(ZoomSettings)
videos = settings_of(
    VideoSettings,
    cuts=st.sampled_from(["auto", "none"])
    | st.lists(st.integers(0, 10**9 - 1), min_size=1).map(lambda cuts: ",".join(map(str, cuts))),
)
clips = settings_of(
    ClipSettings, start=st.floats(0, 100), end=st.none() | st.floats(100, 1e6, exclude_min=True)
)
visualizations = settings_of(VisualizeSettings)
