"""The load of a soak: texts, mails and bridge messages, some in bursts; a share of the webhooks comes more than once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from bench.soak.options import SoakOptions
from bench.soak.processes import SoakProcesses
from tests.support.load import Load
from tests.support.load_lanes import Lane, Post, Sent, Way, deliver, lanes

WAYS: Final[tuple[Way, ...]] = ("sms",) * 6 + ("email",) * 3 + ("sms", "bridge sms") + ("sms",) * 6 + ("email",) * 2 + ("bridge email",)
"""Of twenty conversations thirteen are texts, five are mails, and two come over the bridge."""
BURST_SHARE: Final = 0.25
"""The share of messages that follow the one before within a second, so that some come while its turn runs."""
DOUBLE_SHARE: Final = 0.03
"""The share of webhooks that are posted twice at the same moment."""
REPEAT_SHARE: Final = 0.03
"""The share of webhooks after which an old one of the same conversation is posted once more."""
PROVIDER_FAULTS: Final = {
    "twilio": {
        "latency_seconds": [0.05, 0.3],
        "fail": [
            {"fault": "503", "rate": 0.01},
            {"fault": "reset_after_accept", "rate": 0.01},
            {"fault": "500", "accept": True, "rate": 0.01},
            {"fault": "429", "retry_after": 1, "rate": 0.01},
            {"fault": "reset_before", "rate": 0.01},
        ],
    },
    "sendgrid": {
        "latency_seconds": [0.05, 0.3],
        "fail": [{"fault": "503", "rate": 0.02}, {"fault": "reset_after_accept", "rate": 0.02}, {"fault": "reset_before", "rate": 0.01}],
    },
    "anthropic": {
        "latency_seconds": [0.2, 1.5],
        "fail": [{"fault": "529", "rate": 0.02}, {"fault": "reset_midway", "rate": 0.01}, {"fault": "reset_before", "rate": 0.02}],
    },
}
"""One request in twenty fails, at each provider."""


class SoakTraffic(Load):
    """The load of a soak."""

    def __init__(self, processes: SoakProcesses, options: SoakOptions) -> None:
        """Nothing is sent yet."""
        people = [processes.installation.person() for _ in range(options.people)]
        super().__init__(processes.installation, lanes(people, ways=WAYS, rate=options.rate), processes.bridge_url, rate=options.rate)
        self.repeats: Counter[str] = Counter()
        """Webhooks that were posted once more: `at once` or `again`."""
        self._sandbox_of = {
            lane: (processes.installation.sandbox, processes.sandbox_b)[number % 2] for number, lane in enumerate(self.lanes)
        }
        self._other_sandbox = {processes.installation.sandbox: processes.sandbox_b, processes.sandbox_b: processes.installation.sandbox}
        self._rng = {lane: random.Random(f"{options.seed} {lane.person.tag}") for lane in self.lanes}  # noqa: S311 - no secret

    def due_times(self, lane: Lane) -> Iterator[tuple[int, float]]:
        """Random times, so that all lanes together keep the rate. A time is repeated until its message was sent, or the load ends."""
        rng, sent = self._rng[lane], 0
        due = self.began + rng.expovariate(1 / self.period)
        while not (self.ending and due > time.time()):
            yield sent, due
            if len(lane.sent) > sent:
                sent = len(lane.sent)
                due += rng.uniform(0, 1) if rng.random() < BURST_SHARE else rng.expovariate((1 - BURST_SHARE) / self.period)

    def post(self, sent: Sent) -> bool:
        """Post a message once by the lane's own sandbox; True if it was accepted. Some are posted twice, some with an old one."""
        own, rng = self._sandbox_of[sent.lane], self._rng[sent.lane]
        copies = 2 if rng.random() < DOUBLE_SHARE else 1
        began, at = time.monotonic(), time.time()
        status = deliver(own, sent, copies=copies)["status"]
        post = Post(at, time.monotonic() - began, status)
        sent.posts.append(post)
        self.repeats["at once"] += copies - 1
        if post.taken:
            sent.taken_at = time.time()
            if rng.random() < REPEAT_SHARE:
                # To the other web process, which has not seen this message: as when the first one's address cannot be reached.
                deliver(self._other_sandbox[own], rng.choice(sent.lane.sent))
                self.repeats["again"] += 1
        return post.taken
