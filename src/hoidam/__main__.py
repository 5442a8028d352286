"""`python -m hoidam`: the command line, where a launcher starts modules."""

from hoidam.cli import main

if __name__ == "__main__":
    main()
