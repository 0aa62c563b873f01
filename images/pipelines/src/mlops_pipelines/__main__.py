"""Makes ``python -m mlops_pipelines`` the same as ``mlops-pipelines``."""

import sys

from mlops_pipelines.cli import main

sys.exit(main())
