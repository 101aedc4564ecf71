"""``python -m dayrate`` is the command line."""

from dayrate.cli.main import run

if __name__ == "__main__":
    run()
