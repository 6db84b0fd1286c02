"""jaxdream against PyTorch, or against another commit of itself: see ``benchmark/options.py``.

pip install '.[bench]' && python scripts/bench.py --markdown table.md --json table.json
"""

from benchmark.main import main

if __name__ == "__main__":
    main()
