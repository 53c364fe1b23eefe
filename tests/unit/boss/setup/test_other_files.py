"""The Caddyfile and systemd's unit: what they let through, and what they refuse to be written for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from boss.setup.other_files import Service, caddyfile
from shared.errors import ConfigurationError

SERVICE = Service("bossline", Path("/opt/bossline"), Path("/opt/bossline/.venv/bin/boss"), Path("/var/lib/bossline"))


def test_the_proxy_passes_on_the_webhooks_and_nothing_else() -> None:
    """Neither /metrics nor a console: whatever is not named is 404."""
    text = caddyfile("https://boss.example.com:8443", 9000)
    assert text.splitlines()[1] == "boss.example.com:8443 {"
    assert re.findall(r"@webhooks path (.*)", text) == ["/sms/* /email/* /livez"]
    assert "reverse_proxy 127.0.0.1:9000" in text
    assert "respond 404" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("url", ["http://boss.example.com", "https://", "https://boss.example.com/below"])
def test_no_site_is_written_for_an_address_that_it_would_not_serve(url: str) -> None:
    """A path would have to be cut, and http has no certificate."""
    with pytest.raises(ConfigurationError, match="PUBLIC_URL"):
        caddyfile(url, 8787)


def test_the_unit_names_the_places_and_forbids_core_files() -> None:
    """Below /var/lib systemd makes the directory itself; elsewhere it is opened for writing."""
    unit = SERVICE.unit()
    for line in ("User=bossline", "WorkingDirectory=/opt/bossline", "ExecStart=/opt/bossline/.venv/bin/boss %i", "LimitCORE=0"):
        assert line in unit.splitlines()
    assert "StateDirectory=bossline\n" in unit
    assert "ReadWritePaths=/srv/boss data" not in unit
    assert "ReadWritePaths=/srv/boss\n" in replace(SERVICE, data_dir=Path("/srv/boss")).unit()


@pytest.mark.parametrize(
    "service", [replace(SERVICE, user="a b"), replace(SERVICE, directory=Path("/opt/a b")), replace(SERVICE, boss=Path("/opt/%i/boss"))]
)
def test_a_unit_that_systemd_would_read_otherwise_is_not_written(service: Service) -> None:
    """Blanks split a line, and % begins one of systemd's own words."""
    with pytest.raises(ConfigurationError):
        service.unit()
