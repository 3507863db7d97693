"""Options that several commands take."""

from typing import Annotated

import typer

Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]
Crowd = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        max=20_000,
        help="How many simulated citizens come in a business hour, to all halls together.",
    ),
]
Workers = Annotated[int, typer.Option(help="How many API processes.", min=1, max=64)]
