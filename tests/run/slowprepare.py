"""``spineclock prepare`` at leisure, for tests that stop it: TABLE STORE WORKERS."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from spineclock.run import prepare, prepare_scan
from spineclock.run.settings import PrepareSettings


def slowly(job):
    time.sleep(0.3)
    return prepare_scan.prepared(job)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests run in the background inherit that it is ignored
    prepare.prepared = slowly
    settings = PrepareSettings(shape="16,48,32", workers=int(sys.argv[3]))
    sys.exit(prepare.prepare_cohort(Path(sys.argv[1]), settings, out=Path(sys.argv[2])))
