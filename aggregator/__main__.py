"""`python -m aggregator` is the command `aggregator`."""

from aggregator.cli.main import main

main()
