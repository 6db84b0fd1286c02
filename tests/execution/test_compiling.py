import threading

import jax
import numpy as np

from jaxdream.execution.compiling import compiled_programs


def test_every_program_is_heard_of_in_the_thread_that_compiles_it():
    heard = []

    def notify(seconds):
        heard.append((seconds, threading.current_thread()))

    def compute():
        jax.jit(lambda x: 3 * x + len(heard))(np.ones(5))

    with compiled_programs(notify):
        compute()
        thread = threading.Thread(target=compute)
        thread.start()
        thread.join()
    assert all(seconds > 0 for seconds, _ in heard)
    assert {one for _, one in heard} == {threading.current_thread(), thread}
    count = len(heard)
    compute()
    assert len(heard) == count
