"""`boss setup` that is killed before its nth change: a request that changes something, or a file's new contents.

python -m tests.support.killed_setup N ANSWERS OPTION...; the answers are a file, and N is 0 for a run to the end.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

from boss.main import main
from boss.setup import api, private_files

COUNTER = itertools.count(1)


def killing(at: int) -> None:
    """Die where the count is reached, and say before what."""
    module = cast("Any", api)
    ask, replace = module.ask, Path.replace

    def counted(what: str) -> None:
        number = next(COUNTER)
        os.write(2, f"change {number}: {what}\n".encode())
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def asked(url: str, **options: Any) -> Any:
        if options.get("method", "GET") != "GET":
            counted(f"{options['method']} {url}")
        return ask(url, **options)

    def replaced(self: Path, target: Path) -> Path:
        if self.name.endswith(".draft"):
            counted(f"file {target.name}")
        return replace(self, target)

    module.ask = asked
    cast("Any", Path).replace = replaced
    assert private_files.draft_of(Path("x")).name == "x.draft"


if __name__ == "__main__":
    number, answers, *words = sys.argv[1:]
    killing(int(number))
    with Path(answers).open("rb") as text:
        os.dup2(text.fileno(), 0)
    main(["setup", *words])
