import jax
import pytest

from jaxdream.execution.memory import available, format_bytes, in_use, peak_bytes


def test_a_limit_is_for_all_that_the_process_has():
    used = in_use()
    assert used > 50_000_000
    assert available(10**12) == pytest.approx(10**12 - used, rel=1e-3)
    assert available(1) < 0


def test_by_default_some_of_what_is_free_stays_free():
    import psutil

    assert 0 < available() < psutil.virtual_memory().available


def test_devices_without_memory_of_their_own_share_it():
    device = jax.local_devices()[0]
    assert available(10**12, [device] * 4) == pytest.approx(available(10**12) / 4, rel=1e-2)


def test_the_peak_of_a_program_covers_arguments_and_results():
    x = jax.numpy.zeros((1000, 1000))
    compiled = jax.jit(lambda x: x + 1).lower(x).compile()
    assert peak_bytes(compiled) >= 2 * x.nbytes


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 MB"), (-5, "0 MB"), (1_500_000, "2 MB"), (2_340_000_000, "2.3 GB")]
)
def test_bytes_as_text(size, text):
    assert format_bytes(size) == text
