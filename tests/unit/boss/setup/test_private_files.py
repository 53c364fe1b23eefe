"""Files with secrets: for their owner alone, whole or as they were; and one run at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from boss.setup.private_files import draft_of, make_directory, only_one, remove, write_whole
from shared.errors import ConfigurationError
from tests.support.processes import ROOT


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    """And so is its draft, from its first moment."""
    old = os.umask(0)
    try:
        write_whole(tmp_path / ".env", "KEY=1\n")
        make_directory(tmp_path / "data" / "setup")
        write_whole(tmp_path / "Caddyfile", "x", mode=0o644)
    finally:
        os.umask(old)
    assert (mode(tmp_path / ".env"), mode(tmp_path / "data"), mode(tmp_path / "data" / "setup"), mode(tmp_path / "Caddyfile")) == (
        0o600, 0o700, 0o700, 0o644,
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if "draft" in path.name] == []


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """A `.env` that was copied without care."""
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env").chmod(0o644)
    write_whole(tmp_path / ".env", "A=2\n")
    assert mode(tmp_path / ".env") == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it names is written."""
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to(tmp_path / "real")
    write_whole(tmp_path / ".env", "A=2\n")
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text() == "A=2\n"


def test_a_draft_that_somebody_has_laid_out_is_not_written_through(tmp_path: Path) -> None:
    """A link in its place is removed, and what it names stays as it was."""
    (tmp_path / "victim").write_text("mine\n")
    draft_of(tmp_path / ".env").symlink_to(tmp_path / "victim")
    write_whole(tmp_path / ".env", "KEY=1\n")
    assert ((tmp_path / "victim").read_text(), (tmp_path / ".env").read_text()) == ("mine\n", "KEY=1\n")


def test_the_draft_of_a_run_that_was_killed_is_gone_after_the_next(tmp_path: Path) -> None:
    """It held secrets."""
    draft_of(tmp_path / ".env").write_text("KEY=half")
    write_whole(tmp_path / ".env", "KEY=1\n")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
    draft_of(tmp_path / ".env").write_text("KEY=half")
    remove(tmp_path / ".env")
    remove(tmp_path / ".env")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_place_that_refuses_is_named(tmp_path: Path) -> None:
    """Without what should have been written."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        write_whole(tmp_path / ".env", "KEY=word\n")
    assert "word" not in str(caught.value)
    tmp_path.chmod(0o700)


def test_two_runs_at_once_are_one_and_a_sentence(tmp_path: Path) -> None:
    """The lock ends with its holder, killed or not."""
    program = (
        "from pathlib import Path\nfrom boss.setup.private_files import only_one\n"
        f"with only_one(Path({str(tmp_path)!r})):\n print('held', flush=True)\n input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="another `boss setup` is running"), only_one(tmp_path):
            pass
        holder.kill()
        holder.wait(10)
    with only_one(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
