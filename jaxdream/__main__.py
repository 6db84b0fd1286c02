"""``python -m jaxdream``."""

from jaxdream.cli.main import main

main()
