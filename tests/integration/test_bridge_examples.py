"""The examples of docs/examples, as a reader runs them: against a real bridge and a real worker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.bridge import BridgeProcess
from tests.support.processes import KEPT, ROOT, clean_environment
from tests.support.whole import Whole

EXAMPLES: Final = ROOT / "docs" / "examples"
NODE: Final = EXAMPLES / "node"
INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
NPM_SETTINGS: Final = re.compile(r"(?i)npm_config_.*|https?_proxy|no_proxy|node_extra_ca_certs")
"""What a tester's machine needs to reach its registry."""


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    """Server, sandbox and one worker; the example user is the only one."""
    with Whole(web=False) as running:
        running.settings["BOSS_USERS_FILE"] = ""
        running.fork()
        yield running


@pytest.fixture(scope="module")
def bridge(whole: Whole) -> BridgeProcess:
    return whole.bridge()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Node example with its packages installed, exactly as its lock says."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing and "REQUIRE_NODE" not in os.environ:
        pytest.skip(f"{' and '.join(missing)} not installed")
    copy = tmp_path_factory.mktemp("node") / "example"
    copy.mkdir()
    for name in ("package.json", "package-lock.json", "bridge-client.mjs"):
        shutil.copy2(NODE / name, copy)
    own = {name: value for name, value in os.environ.items() if name in KEPT or NPM_SETTINGS.fullmatch(name)}
    subprocess.run(INSTALL, cwd=copy, env=own, check=True, timeout=50, stdin=subprocess.DEVNULL)
    return copy


def settings_of(bridge: BridgeProcess) -> dict[str, str]:
    return clean_environment(SUPERVISOR_URL=bridge.url, PYTHONPATH=str(ROOT))


def test_the_python_example_prints_the_reply(bridge: BridgeProcess, tmp_path: Path) -> None:
    """`python docs/examples/bridge_client.py TEXT`: the Boss's answer, and nothing else, on stdout."""
    command = [sys.executable, str(EXAMPLES / "bridge_client.py"), "Hello from Python"]
    found = subprocess.run(command, cwd=tmp_path, env=settings_of(bridge), capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, "Hello from Python" in found.stdout) == (0, True), found.stderr


def test_the_node_example_prints_the_reply(bridge: BridgeProcess, example: Path) -> None:
    """Acknowledged first, then answered; it ends by itself."""
    command = ["node", "bridge-client.mjs", "Hello from Node"]
    found = subprocess.run(command, cwd=example, env=settings_of(bridge), capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stderr, "Hello from Node" in found.stdout) == (0, "acknowledged\n", True), found.stderr


def test_the_node_example_outlives_the_bridge(whole: Whole, bridge: BridgeProcess, example: Path) -> None:
    """The bridge is killed while the Boss thinks and comes back: the example finds it, and prints the one answer."""
    whole.sandbox.knobs(anthropic={"latency_seconds": 2})
    command = ["node", "bridge-client.mjs", "Still there?"]
    with subprocess.Popen(command, cwd=example, env=settings_of(bridge), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        try:
            assert node.stderr is not None
            assert node.stderr.readline() == "acknowledged\n"
            bridge.kill9()
            bridge.start()
            said, _ = node.communicate(timeout=30)
        finally:
            node.kill()
    assert (node.returncode, "Still there?" in said) == (0, True)
    whole.sandbox.knobs(anthropic={"latency_seconds": 0})


def test_the_node_example_gives_up_on_a_wrong_token(bridge: BridgeProcess, example: Path) -> None:
    """One attempt, one sentence, status 1."""
    environment = settings_of(bridge) | {"SUPERVISOR_TOKEN": "wrong"}
    found = subprocess.run(
        ["node", "bridge-client.mjs"], cwd=example, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "no answer: bridge_refused\n")


def test_the_lock_names_no_registry() -> None:
    """It is installed from whatever registry its reader uses, and holds the one version that package.json asks for."""
    text = (NODE / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "://" not in text
    wanted = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {name: json.loads(text)["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
