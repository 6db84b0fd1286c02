"""What jaxdream's programs are on a TPU or a GPU that is not here: see ``compilation/options.py``.

python scripts/compile_for.py h100 t4 --markdown table.md --json table.json
"""

from compilation.main import main

if __name__ == "__main__":
    main()
