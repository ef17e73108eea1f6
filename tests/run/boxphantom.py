"""``spineclock`` with the quick scanner in place of the real one, for tests that need a process of their own."""

from __future__ import annotations

import signal

import boxscanner

from spineclock import cli
from spineclock.run import phantom_mri

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests run in the background inherit that it is ignored
    phantom_mri._scanner = lambda: boxscanner
    cli.main()
