"""``python -m jaxdream``, the same as ``jaxdream``."""

from jaxdream.cli.start import main

if __name__ == "__main__":
    main()
