"""`python -m cnnrun`: the same command as `cnnrun`."""

from cnnrun.cli.app import main

if __name__ == "__main__":
    main()
