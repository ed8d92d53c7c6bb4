"""The services' own process: `python -m services.console.child --data DIR SERVICE…`.

Its servers and its port come by environment; it starts nothing else and is started by a launcher.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import uvloop

from libs.runtime.errors import ConfigurationError
from libs.runtime.settings import load
from libs.stack.errors import StackError
from libs.stack.stack import Servers
from libs.telemetry.logs import configure
from services.console.composition import SERVICES
from services.console.serve import serve


def main() -> int:
    """Serve until told to stop; 1, with one line on standard error, where that cannot be."""
    parser = argparse.ArgumentParser(prog="services.console.child", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("services", nargs="+", choices=sorted(SERVICES))
    options = parser.parse_args()
    configure(",".join(options.services))
    given = Servers(os.environ["LONJA_KAFKA"], os.environ["LONJA_POSTGRES"], "given", "")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options.services, given, load(), options.data))
    except (StackError, ConfigurationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
