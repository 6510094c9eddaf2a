"""`python -m crossdock`: the command line, where its script is not on the path."""

from crossdock.cli import main

if __name__ == "__main__":
    main()
