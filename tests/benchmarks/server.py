"""The simulated Admin API as benchmarks see it: over TLS, answering from memory, as a proxy.

    python -m tests.benchmarks.server --certificate FILE --days 90 --groups 500 --people 500

The port that is printed takes CONNECT to api.anthropic.com:443 and nothing else, and answers as
that host itself. An answer is rendered once and kept, so that what is measured is the client.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.simulator import AdminApiServer, Organization

HOST = "api.anthropic.com"
END_OF_HEAD = b"\r\n\r\n"


class Front:
    """A CONNECT proxy that is the TLS server behind it, too.

    Args:
        api: The simulated API that is asked for what is not known yet.
        context: The server's side of TLS.
        latency: Seconds to wait before each answer.
    """

    def __init__(self, api: AdminApiServer, context: ssl.SSLContext, latency: float) -> None:
        self._api, self._context, self._latency = api, context, latency
        self._answers: dict[str, tuple[bytes, bytes]] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Accept connections for ever."""
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = _read_head(client).split(b" ")[1:2]
        if target != [f"{HOST}:443".encode()]:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            client.close()
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            with self._context.wrap_socket(client, server_side=True) as secured:
                while head := _read_head(secured):
                    self._answer(secured, head)
        except OSError:
            pass  # the client has gone

    def _answer(self, client: ssl.SSLSocket, head: bytes) -> None:
        asked = time.monotonic()
        lines = head.decode("latin-1").split("\r\n")
        target = lines[0].split(" ")[1]
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        head, body = self._known(target, headers)
        time.sleep(max(0.0, asked + self._latency - time.monotonic()))
        client.sendall(head)
        client.sendall(body)

    def _known(self, target: str, headers: dict[str, str]) -> tuple[bytes, bytes]:
        with self._lock:
            if target not in self._answers:
                self._answers[target] = self._render(target, headers)
            return self._answers[target]

    def _render(self, target: str, headers: dict[str, str]) -> tuple[bytes, bytes]:
        connection = HTTPConnection("127.0.0.1", self._api.port)
        connection.request("GET", target, headers={**headers, "Accept-Encoding": "identity"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        kept = {name: value for name, value in response.getheaders() if name != "content-length"}
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name, value in kept.items()]
        lines += [f"content-length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1"), body


def _read_head(client: socket.socket) -> bytes:
    received = b""
    while not received.endswith(END_OF_HEAD):
        chunk = client.recv(1 << 16)
        if not chunk:
            return b""
        received += chunk
    return received


def certificate(target: Path) -> ssl.SSLContext:
    """Make a certificate that signs itself, and write it where clients can be told to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    both = target.with_suffix(".key")
    both.write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    target.write_bytes(public)
    return context


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.server", description=__doc__)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--today", type=date.fromisoformat, required=True)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--groups", type=int, required=True)
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0)
    options = parser.parse_args()
    organization = Organization.invent(
        today=options.today, days=options.days, groups=options.groups, people=options.people
    )
    with AdminApiServer(organization, cache_bytes=1 << 30) as api:
        front = Front(api, certificate(options.certificate), options.latency_ms / 1000)
        json.dump({"port": front.port}, sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()
        front.serve()


if __name__ == "__main__":
    main()
