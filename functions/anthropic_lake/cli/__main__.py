"""`python -m anthropic_lake.cli`."""

from anthropic_lake.cli.main import main

main()
