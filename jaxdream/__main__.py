"""``python -m jaxdream``."""

from jaxdream.cli.start import main

main()
