"""`python -m tsad_keras`."""

import sys

from tsad_keras.cli import main

if __name__ == "__main__":
    sys.exit(main())
