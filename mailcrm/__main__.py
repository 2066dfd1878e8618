"""`python -m mailcrm …`: the command line. See mailcrm/cli."""

from mailcrm.cli import main

if __name__ == "__main__":
    main()
