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
from libs.runtime.settings import chosen, load
from libs.stack.errors import StackError
from libs.stack.stack import Servers
from libs.telemetry.logs import configure
from libs.web.tokens import check_listening
from services.console.composition import SERVICES
from services.console.places import PORT_TAKEN, address, note_services
from services.console.serve import listening_socket, serve


def main() -> int:
    """Serve until told to stop; 1, with one line on standard error, where that cannot be."""
    parser = argparse.ArgumentParser(prog="services.console.child", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("services", nargs="+", choices=sorted(SERVICES))
    options = parser.parse_args()
    configure(",".join(options.services))
    given = Servers(os.environ["LONJA_KAFKA"], os.environ["LONJA_POSTGRES"], "given", "")
    try:
        settings = load()
        check_listening(settings.server)
        bound = listening_socket(settings.server.host, settings.server.port)
        note_services(options.data, address(bound), os.getpid(), chosen())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options.services, given, settings, options.data, bound))
    except StackError as error:
        print(error, file=sys.stderr)
        return PORT_TAKEN if error.code == "port-taken" else 1
    except (ConfigurationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
