"""The people of a soak: texts, mails and bridge messages, now and then in bursts; a part of the webhooks comes more than once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from bench.soak.options import Options
from bench.soak.processes import Cast
from tests.support.load import Load
from tests.support.load_lanes import Lane, Post, Sent, Way, deliver, lanes

WAYS: Final[tuple[Way, ...]] = ("sms",) * 6 + ("email",) * 3 + ("sms", "bridge sms") + ("sms",) * 6 + ("email",) * 2 + ("bridge email",)
"""Of twenty conversations thirteen are texts, five are mails, and two come over the bridge."""
BURSTS: Final = 0.25
"""The share of messages that follow the one before within a second: some come while its turn runs."""
AT_ONCE: Final = 0.03
"""The share of webhooks that come twice at the same moment."""
AGAIN: Final = 0.03
"""The share after which an old webhook of the same conversation comes once more."""
SHAKY: Final = {
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


class Traffic(Load):
    """The load of a soak."""

    def __init__(self, cast: Cast, options: Options) -> None:
        """Nothing is sent yet."""
        people = [cast.whole.person() for _ in range(options.people)]
        super().__init__(cast.whole, lanes(people, ways=WAYS, rate=options.rate), cast.bridge_url, rate=options.rate)
        self.repeats: Counter[str] = Counter()
        """Webhooks that came once more: `at once` or `again`."""
        self._couriers = {lane: (cast.whole.sandbox, cast.courier)[number % 2] for number, lane in enumerate(self.lanes)}
        self._other = {cast.whole.sandbox: cast.courier, cast.courier: cast.whole.sandbox}
        self._dice = {lane: random.Random(f"{options.seed} {lane.person.tag}") for lane in self.lanes}  # noqa: S311 - dice, no secret

    def due_times(self, lane: Lane) -> Iterator[tuple[int, float]]:
        """At random, so that all lanes together keep the rate; each time until it was sent, and until the load ends."""
        dice, sent = self._dice[lane], 0
        due = self.began + dice.expovariate(1 / self.period)
        while not (self.ending and due > time.time()):
            yield sent, due
            if len(lane.sent) > sent:
                sent = len(lane.sent)
                due += dice.uniform(0, 1) if dice.random() < BURSTS else dice.expovariate((1 - BURSTS) / self.period)

    def post(self, sent: Sent) -> bool:
        """One attempt by the lane's own courier; True when it was taken. Some come twice, and some bring an old one along."""
        courier, dice = self._couriers[sent.lane], self._dice[sent.lane]
        copies = 2 if dice.random() < AT_ONCE else 1
        began, at = time.monotonic(), time.time()
        status = deliver(courier, sent, copies=copies)["status"]
        post = Post(at, time.monotonic() - began, status)
        sent.posts.append(post)
        self.repeats["at once"] += copies - 1
        if post.taken:
            sent.taken_at = time.time()
            if dice.random() < AGAIN:
                # To the other web, as when the first one's address is not reached: it never saw this message.
                deliver(self._other[courier], dice.choice(sent.lane.sent))
                self.repeats["again"] += 1
        return post.taken
