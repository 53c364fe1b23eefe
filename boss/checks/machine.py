"""What this machine says by itself: Python, the settings and their files, signatures, addresses, who is let in."""

from __future__ import annotations

import shlex
import shutil
import socket
import stat
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from boss.checks.result import Finding, fail, ok, warn
from boss.provider_requests import SMS_PATH, signature_of
from shared.config import secret_rules
from shared.config.loading import providers_in_use, unknown_settings
from shared.config.providers import CREDENTIALS, FILLED, NAMES, SIMULATED, follows
from shared.config.settings import Settings
from shared.config.web_address import webhook_base_url
from shared.errors import ConfigurationError
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.users import LOCAL_USER, Users
from shared.registry import people_on_disk, users_on_disk

PYTHON: Final = (3, 11)
GIB: Final = 1024**3
ROOM_WARN: Final = GIB
ROOM_FAIL: Final = GIB // 10
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
CONNECT_SECONDS: Final = 0.5


def python() -> list[Finding]:
    """The interpreter."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON:
        return [fail("python", version, "Use Python 3.11 or newer.")]
    return [ok("python", version)]


def env_file(path: Path = Path(".env")) -> list[Finding]:
    """Whether others on this machine can read the secrets, and whether each name in it sets something."""
    try:
        open_to = open_to_others(path, 0o600)
    except FileNotFoundError:
        return [ok(".env", "there is none; the environment alone counts"), *_names(path)]
    return [warn(".env", *open_to) if open_to else ok(".env", "only its owner can read it"), *_names(path)]


def _names(path: Path) -> list[Finding]:
    try:
        strange = unknown_settings(_env_file=path)
    except ConfigurationError:  # told by the line about the settings
        return []
    return [warn("names", "\n".join(strange), "Correct the name, or take the line out.")] if strange else []


def weak_secrets(settings: Settings) -> list[Finding]:
    """Secrets that production would refuse, where messages are real already. Nothing in the sandbox."""
    if settings.all_played or settings.environment == "production":
        return []
    played = {name for provider in settings.played for name in (*CREDENTIALS[provider], *FILLED[provider])}  # the sandbox's own
    found = secret_rules.faults(each for each in settings.named_secrets if each[0] not in played)
    return [warn("secrets", "\n".join(found), "Production does not start with these; real providers are configured.")] if found else []


def mode(settings: Settings) -> list[Finding]:
    """For each provider whether it is played or real, and what follows from it."""
    each = [f"{NAMES[provider]}: {said}" for provider, said in providers_in_use(settings).items()]
    if "anthropic" in settings.played and not settings.all_played:
        return [warn("mode", "\n".join([settings.environment, *each, SIMULATED]), "Set ANTHROPIC_API_KEY, unless that is meant.")]
    return [ok("mode", "\n".join([settings.environment, *each, *follows(settings)]))]


def users(settings: Settings) -> list[Finding]:
    """The users file, and the registry as this host knows it."""
    try:
        found = people_on_disk(settings)
    except ConfigurationError as error:
        return [fail("users", error.detail, "Correct the users file (docs/reference/users.md).")]
    known = Users(found.users)
    if found.faults:
        return [warn("users", "\n".join([_counted(known), *found.faults]), "Correct it with `boss users edit`, or in the users file.")]
    return [_known(settings, known)]


def _known(settings: Settings, known: Users) -> Finding:
    if settings.boss_users_file and (open_to := open_to_others(settings.boss_users_file, 0o600)):
        return warn("users", f"{_counted(known)}; {open_to[0]}", open_to[1])
    if not known.all:
        return warn("users", "nobody is known: every message is a stranger's", "Add somebody: `boss users add --help`.")
    if known.all == (LOCAL_USER,) and settings.boss_users_file is None:
        if settings.played >= {"twilio", "sendgrid"}:
            return ok("users", "the one example user, whom the sandbox plays")
        todo = "Add people with `boss users add`, or write a users file and set BOSS_USERS_FILE (docs/reference/users.md)."
        return warn("users", "only the example user, from whom no real message comes", todo)
    return ok("users", _counted(known))


def _counted(found: Users) -> str:
    reached = found.reached.all
    phones, mails = (sum(1 for user in reached if getattr(user, field)) for field in ("phone", "email"))
    alone = len(found.all) - len(reached)
    more = [f"{alone} over the bridge alone"] if alone else []
    more += [f"{found.forwarding_addresses} forwarding addresses"] if found.forwarding_addresses else []
    return ", ".join([f"{len(found.all)}: {phones} by text, {mails} by mail", *more])


def channels_of(settings: Settings) -> frozenset[Channel]:
    """The channels that some user needs; both while the users file cannot be read, which is said by its own line."""
    try:
        return users_on_disk(settings).channels
    except ConfigurationError:
        return frozenset(CHANNELS)


def open_to_others(path: Path, mode: int) -> tuple[str, str] | None:
    """What is wrong with a file or directory that others on this machine can open, and what to do; None when nothing is."""
    found = path.stat().st_mode
    if not found & OTHERS:
        return None
    return f"others on this machine can open it (mode {found & 0o777:o})", f"Run: chmod {mode:o} {shlex.quote(str(path))}"


def data_dir(settings: Settings) -> list[Finding]:
    """Whether data can be written, and how much of it."""
    path = settings.boss_data_dir.absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        todo = "Give this user the directory, or set BOSS_DATA_DIR to another."
        return [fail("data", f"{path} cannot be written: {error.strerror}", todo)]
    free = shutil.disk_usage(there).free
    detail = f"{path}, {free / GIB:.1f} GiB free"
    if free < ROOM_WARN:
        finding = fail if free < ROOM_FAIL else warn
        return [finding("data", detail, "Make room: a full disk stops every message.")]
    if there != path:
        return [ok("data", f"{detail}; it will be made")]
    open_to = open_to_others(path, 0o700)  # messages may wait there, and the embedded server keeps all of them
    return [warn("data", f"{detail}; {open_to[0]}", open_to[1])] if open_to else [ok("data", detail)]


def signature(settings: Settings) -> list[Finding]:
    """Sign a webhook with the configured token, and verify it as the SDK would; nothing where no user has a phone."""
    if "sms" not in channels_of(settings):
        return []
    from twilio.request_validator import RequestValidator  # noqa: PLC0415 - takes a while to import

    token = settings.twilio_auth_token.get_secret_value()
    if not token:
        todo = "Set it to the primary Auth Token of the Twilio console."
        return [fail("signature", "TWILIO_AUTH_TOKEN is not set: every text is refused", todo)]
    form = {"Body": "self-test é", "From": "", "MessageSid": "SM0"}
    signed = signature_of(settings, SMS_PATH, form)
    if not RequestValidator(token).validate(webhook_base_url(settings) + SMS_PATH, form, signed):
        return [fail("signature", "a signature of our own does not verify", "Write PUBLIC_URL without a user, a password or an odd port.")]
    return [ok("signature", "signed and verified with the configured token")]


def public_url(settings: Settings) -> list[Finding]:
    """Whether the providers can call that address, as far as its text tells."""
    if not (settings.public_url or channels_of(settings)):
        return [ok("public url", "not used: all users come over the bridge")]
    return [_public_url(settings)]


def _public_url(settings: Settings) -> Finding:
    outside = {CHANNELS[channel].provider for channel in channels_of(settings)}
    if not settings.public_url:
        if outside <= settings.played:
            return ok("public url", f"not set; the sandbox calls {webhook_base_url(settings)}")
        todo = "Set it to the https:// address that Twilio and SendGrid call (docs/howto/going-live.md)."
        return fail("public url", "PUBLIC_URL is not set", todo)
    parts = urlsplit(settings.public_url)
    if parts.query or parts.fragment or parts.username or parts.path.endswith(SMS_PATH):
        return fail("public url", "it holds more than a host and what stands before /sms/inbound", "Cut PUBLIC_URL to https://HOST.")
    if _is_private(parts.hostname or "") and not outside <= settings.played:
        return fail("public url", "its host is this machine or a private network", "Set PUBLIC_URL to what the internet can reach.")
    if parts.scheme != "https" and not outside <= settings.played:
        todo = "Put a proxy or a tunnel with a certificate before the web process."
        return warn("public url", "it is http: messages travel in the clear", todo)
    return ok("public url", f"{parts.scheme}://{parts.netloc}{parts.path}")


def exposed(settings: Settings) -> list[Finding]:
    """Whether the dashboard, which is for this machine alone, or the bare web process answers other machines."""
    findings = []
    address = own_address()
    if address and _answers(address, settings.dashboard_port):
        todo = "End that program; `boss dashboard` itself binds 127.0.0.1 only."
        findings.append(fail("dashboard", f"port {settings.dashboard_port} of this machine answers from outside", todo))
    else:
        findings.append(ok("dashboard", "not reachable from outside"))
    if settings.web_host not in ("127.0.0.1", "::1", "localhost"):
        todo = "Keep WEB_HOST on 127.0.0.1 and let a proxy with a certificate pass requests on."
        findings.append(warn("web host", "the web process binds an address that other machines can reach", todo))
    return findings


def own_address() -> str:
    """This machine's address towards the internet, '' without one. Nothing is sent: a UDP socket only chooses a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        try:
            datagrams.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address = str(datagrams.getsockname()[0])
    return "" if ip_address(address).is_loopback else address


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _is_private(host: str) -> bool:
    if host == "localhost" or "." not in host.strip("."):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False
