"""``python -m spineclock`` is the same as ``spineclock``."""

from spineclock.cli import main

if __name__ == "__main__":
    main()
