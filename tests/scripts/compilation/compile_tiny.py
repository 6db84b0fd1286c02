"""Compiles a tiny network's programs for the target that is named, in a process of its own."""

import os
import sys

from compilation.targets import ENVIRONMENT, TARGETS

if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    from tiny_network import tiny_network

    from compilation import programs
    from compilation.measure import compile_case

    programs.SMALL = programs.LARGE = (32, 48)  # which compile faster
    target, model = TARGETS[sys.argv[1]], tiny_network()
    for case, chips in (("batch-8", 1), ("rows-4", 4)):
        machine = programs.Machine(target.kind, target.devices(chips))
        found = compile_case(target, model, programs.CASES[case](model, machine), chips)
        print(case, found)
        assert 0 < found.peak_bytes < target.memory
        assert found.kernels > 1
        assert found.hbm_bytes > 0
        assert bool(found.collectives) == (chips > 1)
