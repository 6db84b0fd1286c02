"""``python -m jaxdream``."""

from jaxdream.cli import main

main()
