"""``python -m training``: prepare, train, evaluate and export, each a command; ``--help`` lists them."""

from training.cli import main

main()
