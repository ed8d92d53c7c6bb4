"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option(help="Folder of all data; else LONJA_DATA, .lonja.")]
Url = Annotated[str | None, typer.Option(help="Address of the services; else the running ones.")]
