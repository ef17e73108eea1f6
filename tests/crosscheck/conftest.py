"""Each comparison's files are named like those of the others: ``run.py`` reads them by path, pytest must not."""

collect_ignore_glob = ["*/*.py"]
