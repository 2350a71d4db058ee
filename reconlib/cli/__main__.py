"""``python -m reconlib.cli``: the command line without its script."""

from reconlib.cli import main

if __name__ == "__main__":
    main()
