"""honcho gives each kind of process its own PORT; only the web process's counts, and all find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config import settings as knobs
from shared.config.settings import Settings
from shared.errors import ConfigurationError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No `.env`, and a data directory of the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOSS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def with_port(monkeypatch: pytest.MonkeyPatch, port: str) -> Settings:
    monkeypatch.setenv("PORT", port)
    return knobs.load()


@pytest.mark.usefixtures("bare")
def test_a_worker_with_another_port_finds_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback URLs that a worker hands out lead to the web process, whatever PORT honcho gave to the worker."""
    worker = with_port(monkeypatch, "5100")
    knobs.announce_web(with_port(monkeypatch, "5000"))
    assert worker.local_web_url == "http://127.0.0.1:5000"
    assert worker.webhook_base_url == "http://127.0.0.1:5000"


@pytest.mark.usefixtures("bare")
def test_a_web_process_that_moved_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is read at each use: nothing remembers the one of an earlier start."""
    worker = with_port(monkeypatch, "5100")
    for port in ("5000", "8787"):
        knobs.announce_web(with_port(monkeypatch, port))
        assert worker.local_web_url.endswith(port)


@pytest.mark.usefixtures("bare")
def test_without_a_web_process_port_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written yet: the address is made of PORT, 8787 by default."""
    assert knobs.load().local_web_url == "http://127.0.0.1:8787"
    assert with_port(monkeypatch, "9000").local_web_url == "http://127.0.0.1:9000"


def test_rubbish_in_the_file_is_not_an_address(bare: Path) -> None:
    """A file cut short or overwritten is as good as none."""
    settings = knobs.load()
    settings.boss_data_dir.mkdir()
    for rubbish in (b"", b"\xff\xfe", b"ftp://somewhere", b"\n"):
        settings.web_url_file.write_bytes(rubbish)
        assert settings.local_web_url == "http://127.0.0.1:8787"
    assert bare.exists()


@pytest.mark.usefixtures("bare")
def test_the_public_address_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the providers are told is PUBLIC_URL when there is one."""
    monkeypatch.setenv("PUBLIC_URL", "https://boss.example.com/")
    assert knobs.load().webhook_base_url == "https://boss.example.com"


@pytest.mark.usefixtures("bare")
def test_all_addresses_means_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound to 0.0.0.0 the web process is reached on loopback; bound to one address, there."""
    for host, url in (("0.0.0.0", "http://127.0.0.1:8787"), ("::1", "http://[::1]:8787"), ("127.0.0.2", "http://127.0.0.2:8787")):  # noqa: S104
        monkeypatch.setenv("WEB_HOST", host)
        assert knobs.load().own_web_url == url


def test_a_data_directory_that_cannot_be_written_is_said(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the setting."""
    (bare / "file").touch()
    monkeypatch.setenv("BOSS_DATA_DIR", str(bare / "file"))
    with pytest.raises(ConfigurationError, match="BOSS_DATA_DIR"):
        knobs.announce_web(knobs.load())
