"""What shops deliver, before it is understood: JSON of a sensible depth."""

from libs.runtime.ports import Ports
from libs.security.webhooks import Delivery
from libs.web.deliveries import Door
from libs.web.problems import Problem
from services.channels.adapters.parsing import ChannelDataError, check_structure


def door(ports: Ports) -> Door:
    """Return the door for deliveries to the channel accounts of the configuration."""
    return Door("channels", ports, ports.settings.channels, _sound)


def _sound(signed: Delivery, body: bytes) -> Delivery:
    try:
        check_structure(body)
    except ChannelDataError as error:
        raise Problem(error.code, "The body is not JSON of a sensible depth.") from None
    return signed
