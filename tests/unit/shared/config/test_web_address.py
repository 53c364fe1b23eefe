"""honcho gives each kind of process its own PORT; only the web process's counts, and all find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.config.web_address import announce_web, local_web_url, own_web_url, web_url_file, webhook_base_url
from shared.errors import ConfigurationError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No `.env`, and a data directory of the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOSS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def with_port(monkeypatch: pytest.MonkeyPatch, port: str) -> Settings:
    monkeypatch.setenv("PORT", port)
    return load_settings()


@pytest.mark.usefixtures("bare")
def test_a_worker_with_another_port_finds_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback URLs that a worker hands out lead to the web process, whatever PORT honcho gave to the worker."""
    worker = with_port(monkeypatch, "5100")
    announce_web(with_port(monkeypatch, "5000"))
    assert local_web_url(worker) == "http://127.0.0.1:5000"
    assert webhook_base_url(worker) == "http://127.0.0.1:5000"


@pytest.mark.usefixtures("bare")
def test_a_web_process_that_moved_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is read at each use: nothing remembers the one of an earlier start."""
    worker = with_port(monkeypatch, "5100")
    for port in ("5000", "8787"):
        announce_web(with_port(monkeypatch, port))
        assert local_web_url(worker).endswith(port)


@pytest.mark.usefixtures("bare")
def test_without_a_web_process_port_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written yet: the address is made of PORT, 8787 by default."""
    assert local_web_url(load_settings()) == "http://127.0.0.1:8787"
    assert local_web_url(with_port(monkeypatch, "9000")) == "http://127.0.0.1:9000"


def test_rubbish_in_the_file_is_not_an_address(bare: Path) -> None:
    """A file cut short or overwritten is as good as none."""
    settings = load_settings()
    settings.boss_data_dir.mkdir()
    for rubbish in (b"", b"\xff\xfe", b"ftp://somewhere", b"\n"):
        web_url_file(settings).write_bytes(rubbish)
        assert local_web_url(settings) == "http://127.0.0.1:8787"
    assert bare.exists()


@pytest.mark.usefixtures("bare")
def test_the_public_address_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the providers are told is PUBLIC_URL when there is one."""
    monkeypatch.setenv("PUBLIC_URL", "https://boss.example.com/")
    assert webhook_base_url(load_settings()) == "https://boss.example.com"


@pytest.mark.usefixtures("bare")
def test_all_addresses_means_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound to 0.0.0.0 the web process is reached on loopback; bound to one address, there."""
    for host, url in (("0.0.0.0", "http://127.0.0.1:8787"), ("::1", "http://[::1]:8787"), ("127.0.0.2", "http://127.0.0.2:8787")):  # noqa: S104
        monkeypatch.setenv("WEB_HOST", host)
        assert own_web_url(load_settings()) == url


def test_a_data_directory_that_cannot_be_written_is_said(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the setting."""
    (bare / "file").touch()
    monkeypatch.setenv("BOSS_DATA_DIR", str(bare / "file"))
    with pytest.raises(ConfigurationError, match="BOSS_DATA_DIR"):
        announce_web(load_settings())
