"""`python -m bench`: the measurements whose outcome is promised; exit code 1 where one is not held."""

import sys

from bench.webhook import main

if __name__ == "__main__":
    sys.exit(main())
