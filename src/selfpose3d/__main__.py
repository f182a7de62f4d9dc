"""``python -m selfpose3d``: the command line."""

from selfpose3d.cli import main

if __name__ == "__main__":
    main()
