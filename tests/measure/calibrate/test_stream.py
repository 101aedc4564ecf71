"""Streams read from a server that behaves, or not, and the simulator beside it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.fit import Device, efficiency_of
from dayrate.measure.calibrate.llama import post
from dayrate.measure.calibrate.stream import (
    Request,
    Streams,
    closed_form_tokens_per_s,
    serve,
    simulated,
)
from dayrate.perf.deployment import Parallelism
from dayrate.serving.replica import Engine, Replica

VALUES = {
    "gemm_flop_frac": 0.6,
    "prefill_attention_flop_frac": 0.3,
    "decode_attention_flop_frac": 0.08,
    "byte_frac": 0.8,
    "step_s": 800e-6,
    "layer_s": 90e-6,
    "sequence_s": 900e-6,
}
Say = Callable[[dict[str, Any]], list[str]]


class Fake:
    """As much of an embedded server as is asked."""

    def __init__(self, url: str) -> None:
        self.url, self.pid = url, 10**9  # no such process


@pytest.fixture
def served() -> Iterator[Callable[[Say], Any]]:
    """Start a server that answers with the lines that a test says."""
    running = []

    def start(say: Say) -> Any:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                ask = json.loads(self.rfile.read(length))
                self.send_response(200)
                self.end_headers()
                for line in say(ask):
                    self.wfile.write(line.encode())
                    self.wfile.flush()
                    time.sleep(0.001)

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return Fake(f"http://127.0.0.1:{server.server_port}")

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def tokens(ask: dict[str, Any]) -> list[str]:
    n = int(ask["n_predict"])
    events = [{"content": "a", "stop": False}] * n
    last = {"stop": True, "tokens_predicted": n}
    return [f"data: {json.dumps(e)}\n\n" for e in (*events, last)]


def test_streams_are_read_to_their_end(served: Callable[[Say], Any]) -> None:
    found = serve(served(tokens), [Request(5, 3), Request(7, 4)])
    assert found.output_tokens_per_s == pytest.approx(7 / found.makespan_s)
    assert found.total_tokens_per_s == pytest.approx(19 / found.makespan_s)
    assert 0 < found.ttft_s <= found.makespan_s
    assert found.tpot_s > 0


def test_a_stream_that_breaks_off_is_an_error(served: Callable[[Say], Any]) -> None:
    with pytest.raises(InvalidInput, match=r"1 of 1 requests failed .*0 of 3 tokens"):
        serve(served(lambda ask: tokens(ask)[:2]), [Request(5, 3)])


def test_malformed_events_are_an_error(served: Callable[[Say], Any]) -> None:
    with pytest.raises(InvalidInput, match="JSONDecodeError"):
        serve(served(lambda _ask: ["data: {nonsense\n\n"]), [Request(5, 3)])


def test_a_server_that_is_gone_is_an_error() -> None:
    gone = "http://127.0.0.1:9"
    server: Any = Fake(gone)
    with pytest.raises(InvalidInput, match="ConnectionRefusedError"):
        serve(server, [Request(5, 3)])
    with pytest.raises(InvalidInput, match="stopped answering"):
        post(gone, {})


def test_a_refusal_is_told(served: Callable[[Say], Any]) -> None:
    refusal = [json.dumps({"error": {"message": "too long"}})]
    with pytest.raises(InvalidInput, match=r"refused a request: .*too long"):
        post(served(lambda _ask: refusal).url, {})


def replica(device: Device, slots: int) -> Replica:
    return Replica(
        device.model,
        device.machine,
        Parallelism(),
        device.precision,
        Engine(max_num_seqs=slots, max_num_batched_tokens=2048),
        efficiency_of(VALUES),
    )


def test_the_simulator_approaches_the_closed_form(device: Device) -> None:
    """Where so many requests wait that the last batch hardly counts."""
    requests = Streams(requests=600).listed()
    r = replica(device, 16)
    closed = closed_form_tokens_per_s(r, requests)
    assert simulated(r, requests).output_tokens_per_s == pytest.approx(closed, rel=0.1)


def test_more_slots_serve_sooner(device: Device) -> None:
    requests = Streams().listed()
    spans = [simulated(replica(device, n), requests).makespan_s for n in (1, 4, 16)]
    assert spans[0] > spans[1] > 0.95 * spans[2]  # arithmetic binds from some on


def test_lengths_are_the_same_for_a_seed_and_unlike_each_other() -> None:
    assert Streams().listed() == Streams().listed() != Streams(seed=2).listed()
    assert len({r.input_tokens for r in Streams().listed()}) > 10
