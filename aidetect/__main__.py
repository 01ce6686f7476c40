"""Run the command line with ``python -m aidetect``."""

import sys

from .cli import main

sys.exit(main())
