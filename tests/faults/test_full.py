"""Redis fills while Customer.io is down: intake refuses in time, and once the API is back all of it
drains unaided, exactly once."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from edge.lab import Lab, Shopper, Valkey, Webhook, Workspace, until

LONG = bool(os.environ.get("TORTURE"))
MEGABYTES = 25 if LONG else 6
"""What Redis may take; a small one fills in seconds, and the shares are what matters."""

SLOW = "Redis: timed out"
LANES = 8
MOST = 60_000


def test_a_full_redis_refuses_and_then_drains_unaided(tmp_path: Path) -> None:
    with Valkey(tmp_path / "valkey") as valkey, valkey.client() as redis:
        redis.config_set("maxmemory", f"{MEGABYTES}mb")
        redis.config_set("maxmemory-policy", "noeviction")
        with Lab(tmp_path, REDIS_URL=valkey.url(), WEB_CONCURRENCY="2") as lab:
            sandbox = lab.sandbox()
            sandbox.fail({"status": 503, "times": -1})
            web = lab.web()
            lab.worker(sandbox)
            workspace = Workspace(redis)
            taken: list[Shopper] = []
            refused: list[tuple[Shopper, Webhook]] = []
            most = 0.0

            def send(_: int) -> None:
                nonlocal most
                if len(refused) >= LANES:
                    return
                shopper = Shopper()
                webhook = shopper.webhook("orders/create")
                answer = webhook.post(web)
                while answer.status_code == 503 and SLOW in answer.text:
                    # It was only slow, and may have stored it: a store sends it again.
                    answer = webhook.post(web)
                if answer.status_code == 200:
                    taken.append(shopper)
                    return
                assert answer.status_code == 503, answer.text
                refused.append((shopper, webhook))
                memory = redis.info("memory")
                most = max(most, memory["used_memory"] / memory["maxmemory"])

            with ThreadPoolExecutor(LANES) as pool:
                for _ in pool.map(send, range(MOST)):
                    if len(refused) >= LANES:
                        break
                pool.shutdown(cancel_futures=True)

            # Nothing that was taken in was lost for it.
            assert len(refused) >= LANES, f"{len(taken)} were taken and Redis was not full"
            assert workspace.pending() == len(taken)
            # Nothing was refused while what is only kept could still give way.
            assert redis.xlen("adapter:default:kept") < len(taken) / 2
            # Those who empty Redis have headroom. How much of so small a Redis as the short form's
            # comes in between two looks depends on the machine; there draining is the proof.
            assert not LONG or most < 0.97

            # The API is back: nobody helps.
            sandbox.fail()
            began = time.monotonic()
            until(lambda: workspace.pending() == 0, "all of it is drained", 120)
            drained = time.monotonic() - began
            for shopper, webhook in refused:
                assert webhook.insist(web) in ("accepted", "duplicate")
                taken.append(shopper)
            until(lambda: workspace.pending() == 0, "and what was refused", 60)

            names = {
                str(person["id"]): [
                    one["name"] for one in person["activity"] if one["type"] == "event"
                ]
                for person in sandbox.everybody()
            }
            expected = {shopper.id: ["order_completed"] for shopper in taken}
            assert names == expected
            assert (workspace.dead(), workspace.parked()) == (0, [])
            assert requests.get(f"{web.url}/readyz", timeout=30).status_code == 200
            print(
                f"{len(taken)} orders in {MEGABYTES} MB, refused at {most:.0%},"
                f" drained in {drained:.1f} s"
            )
