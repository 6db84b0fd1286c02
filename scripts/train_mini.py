"""Train the network that comes with jaxdream: see ``distillation/train.py``.

python scripts/train_mini.py --shared ../shared --state ~/mini --hours 8
python scripts/train_mini.py --shared ../shared --state ~/mini --export OUT.safetensors
"""

from distillation.train import main

if __name__ == "__main__":
    main()
