"""Build the documentation's site: `python -m handbook [--strict]`."""

from __future__ import annotations

import sys

from handbook.site import build

sys.exit(build(strict="--strict" in sys.argv))
