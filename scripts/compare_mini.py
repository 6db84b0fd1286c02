"""Compare the network that comes with jaxdream with its teacher: see ``distillation/compare.py``.

python scripts/compare_mini.py --shared DIR --state DIR [--weights FILE] [--widths A B C]
"""

from distillation.compare import main

if __name__ == "__main__":
    main()
