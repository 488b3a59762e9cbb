"""`python -m nas` is `nas`."""

from nas.cli import main

if __name__ == "__main__":  # worker processes import this file under another name
    main()
