import jax
import jax.numpy as jnp
import numpy as np

from jaxdream.objectives import channel, layer, of_network
from jaxdream.objectives.stacking import stack_for_visualize, stack_objectives, with_own_numbers


def leaves(tree):
    return jax.tree.leaves(tree)


def test_one_objective_stays_as_it_is():
    objective = 2 * channel("a", 3)
    assert stack_objectives([objective]) == (objective, None)
    stacked, axes = stack_for_visualize([objective])
    assert axes == (0, 0)
    assert [leaf.shape for leaf in leaves(stacked)] == [(1,), (1,)]


def test_what_is_shared_is_kept_once_in_a_dream_and_stacked_in_visualize():
    shared = channel("a", 3)
    each = [2 * shared, 5 * shared]
    stacked, axes = stack_objectives(each)
    assert axes == (0, None)
    np.testing.assert_array_equal(leaves(stacked)[0], [2, 5])
    assert leaves(stacked)[1] is shared.index
    assert stack_objectives([shared, shared])[1] is None
    assert stack_for_visualize(each)[1] == (0, 0)
    # Without leaves there is nothing to stack.
    assert stack_for_visualize([layer("a")] * 2) == (layer("a"), ())


def test_the_weights_of_a_network_are_never_stacked(tiny):
    each = [w * of_network(tiny, channel("second", i)) for w, i in ((2.0, 1), (3.0, 4))]
    for stacked, axes in (stack_for_visualize(each), stack_objectives(each)):
        assert axes is not None
        assert axes.count(0) == 2
        kept = [leaf for leaf, axis in zip(leaves(stacked), axes, strict=True) if axis is None]
        assert all(mine is its for mine, its in zip(kept, leaves(tiny), strict=True))
    other = jax.tree.map(jnp.array, tiny)
    _, axes = stack_for_visualize([each[0], 2.0 * of_network(other, channel("second", 1))])
    assert None not in axes


def test_own_numbers_are_copies_and_weights_are_not(tiny):
    objective = 2 * of_network(tiny, channel("second", 1))
    copy = with_own_numbers(objective)
    assert jax.tree.structure(copy) == jax.tree.structure(objective)
    same = [a is b for a, b in zip(leaves(copy), leaves(objective), strict=True)]
    assert same.count(True) == len(leaves(tiny))
    assert same.count(False) == 2
    np.testing.assert_array_equal(leaves(copy.objective.objective)[0], 1)
