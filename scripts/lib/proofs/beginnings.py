"""Shows that counters are zero when they began, where that is asked for, as in Prometheus 3.5.

A target says by protobuf when its metrics began, and a sender by remote write 2.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.systems import peers_if_any

from proofs.check import NOT_CHECKED, Proofs, wait_for
from proofs.client import ask
from proofs.process import Firebell
from proofs.protobuf import blob, double, family, integer, pair, varint
from proofs.remote_write import snappy
from proofs.ways_in import ProtobufTarget, RealPrometheus

if TYPE_CHECKING:
    from pathlib import Path

AGO_SECONDS = 40
WAIT_SECONDS = 30.0
FLAG = "--enable-feature=created-timestamp-zero-ingestion,native-histograms"
V2_HEADERS = {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "2.0.0",
}


class Target(ProtobufTarget):
    """Metrics that say when they began."""

    def __init__(self, began_at: int) -> None:
        """`began_at` in milliseconds."""
        super().__init__()
        self.began_at = began_at

    def families(self) -> bytes:
        """Return what there is to scrape."""
        began = integer(1, self.began_at // 1000) + integer(2, self.began_at % 1000 * 1_000_000)
        buckets = blob(3, integer(1, 1) + double(2, 1.0)) + blob(3, integer(1, 3) + double(2, 4))
        classic = integer(1, 4) + double(2, 9.5) + buckets + blob(15, began)
        counter = double(1, 7) + blob(3, began)
        return b"".join(
            (
                family("work_total", 0, pair("kind", "a") + blob(3, counter)),
                family("depth", 1, blob(2, double(1, 3.25))),
                family("classic", 4, blob(7, classic)),
            )
        )


def main() -> int:
    """Show it; 77 when there is no Prometheus 3 here."""
    proofs = Proofs()
    if peers_if_any() is None:
        return NOT_CHECKED
    with proofs.scene("created timestamps by protobuf and by remote write 2") as folder:
        zeros_agree(proofs, folder)
    return proofs.finish()


def zeros_agree(proofs: Proofs, folder: Path) -> None:
    """Give both the same; what they have for the beginning is the same."""
    began_at = int((time.time() - AGO_SECONDS) * 1000)
    with Target(began_at) as target:
        scrape = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: shop
    scrape_protocols: [PrometheusProto]
    static_configs: [{{targets: ['{target.address}']}}]
"""
        theirs = RealPrometheus(
            folder, "theirs", scrape, FLAG, "--web.enable-remote-write-receiver"
        )
        ours = Firebell(folder, scrape)
        ours.command = [*ours.command, FLAG]
        with theirs, ours:
            theirs.wait_ready()
            ours.wait_ready()
            for port in (theirs.port, ours.port):
                for name, at in (("written_total", began_at), ("later_total", 0)):
                    body = snappy(request(name, at))
                    said = ask(port, "/api/v1/write", method="POST", body=body, headers=V2_HEADERS)
                    proofs.check(f"{name} is taken", said.status // 100 == 2, said.text())
                wait_for("scraped", WAIT_SECONDS, partial(begun, port, "depth"))
            for name in ("work_total", "classic_bucket", "classic_count", "written_total"):
                wanted = first(theirs.port, name)
                proofs.equal(f"{name} begins with the same", first(ours.port, name), wanted)
                is_zero = all(value == [began_at / 1000, "0"] for value in wanted.values())
                proofs.check(f"{name} was zero when it began", is_zero and wanted, wanted)
            for name in ("depth", "later_total"):
                zeros = [value for value in first(ours.port, name).values() if value[1] == "0"]
                proofs.equal(f"{name} never began", zeros, [])
    proofs.check("no panic", "panicked" not in ours.text(), ours.tail())


def request(name: str, created: int) -> bytes:
    """Return a request of remote write 2 with one sample of now; `created` in milliseconds."""
    symbols = b"".join(blob(4, text) for text in ("", "__name__", name, "a", "b"))
    sample = double(1, 7.0) + integer(2, int(time.time() * 1000))
    refs = blob(1, b"".join(varint(ref) for ref in (1, 2, 3, 4)))
    body = refs + blob(2, sample) + blob(5, integer(1, 1))
    return symbols + blob(5, body + (integer(6, created) if created else b""))


def begun(port: int, name: str) -> bool | None:
    """Return whether there is a sample of a metric."""
    return bool(first(port, name)) or None


def first(port: int, name: str) -> dict[str, list[object]]:
    """Return the oldest sample of each series of a metric."""
    asked = urlencode({"query": f'{name}{{job!="x"}}[5m]'})
    result = ask(port, f"/api/v1/query?{asked}").json()["data"]["result"]
    return {json.dumps(it["metric"], sort_keys=True): it["values"][0] for it in result}


if __name__ == "__main__":
    raise SystemExit(main())
