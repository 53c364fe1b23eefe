"""The port of each channel. Imports the providers' SDKs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from shared.config.settings import Settings
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.channels.sendgrid.email import SendGridEmail
from supervisor_worker.channels.twilio.sms import TwilioSms
from supervisor_worker.channels.unused import UnusedChannel

PORTS: Final[dict[Channel, Callable[[Settings], ChannelPort]]] = {"sms": TwilioSms, "email": SendGridEmail}


def open_ports(settings: Settings, used: Collection[Channel]) -> dict[Channel, ChannelPort]:
    """A port for every channel: its provider's where a user has the channel, else one that rejects."""
    return {name: PORTS[name](settings) if name in used else UnusedChannel(name) for name in CHANNELS}
