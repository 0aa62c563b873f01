"""Makes ``python -m mlops_serving`` the same as ``mlops-serving``."""

import sys

from mlops_serving.server import main

sys.exit(main())
