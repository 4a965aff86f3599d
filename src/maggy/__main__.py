"""`python -m maggy` is the `maggy` command."""

import sys

from maggy.cli import main

sys.exit(main())
