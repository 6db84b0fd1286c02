"""The page as a Space on Hugging Face: docs/page.md says how to make one.

A Space runs this file in a copy of the repository. Only what requirements.txt names is installed
there, not jaxdream itself. Its free machine has two cores, which strangers share: hence the limits.
"""

import os
import sys

from jaxdream.cli.start import main
from jaxdream.settings import PageSettings
from jaxdream.web.as_text import option_words

MODEL = "googlenet_mini"  # comes with jaxdream
SETTINGS = PageSettings(
    host="0.0.0.0",
    browser=False,
    queue=10,
    megapixels=0.6,
    total_steps=120,
    frames=24,
    upload=20,
)

if __name__ == "__main__":
    port = os.environ.get("PORT", "7860")
    sys.argv[1:] = ["web", *option_words(SETTINGS), "--port", port, "--model", MODEL]
    main()
