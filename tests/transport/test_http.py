"""What becomes of a request when the partner, or the way to it, fails (FAULTS.md 17, 21, 22, 24)."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from crossdock.errors import ConfigurationError, ContractError, NotSentError, UnclearError
from crossdock.sdk.calls import get, post
from crossdock.transport.http import HttpTransport

Talk = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """A loopback server that reads one request a connection and then does as it is told, over and over."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None) -> None:
        self._talk = talk
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self._secured(connection) as connection:
            while request := connection.recv(65536):
                self.requests.append(request)
                self._talk(connection, request)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(talk: Talk, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(talk, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def answer(*parts: bytes) -> Talk:
    def talk(connection: socket.socket, request: bytes) -> None:
        for part in parts:
            connection.sendall(part)

    return talk


def answer_and_close(data: bytes) -> Talk:
    def talk(connection: socket.socket, request: bytes) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return talk


def reset(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drip(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"a")
        time.sleep(0.02)


def stay_silent(connection: socket.socket, request: bytes) -> None:
    connection.recv(1)


def test_a_whole_reply_comes_back_with_lower_case_headers(serve):
    server = serve(
        answer(b"HTTP/1.1 201 Created\r\nRetry-After: 3\r\ncontent-length: 8\r\n\r\n", b'{"id":1}')
    )
    reply = HttpTransport(server.url).send(post("/sales", json={}), 2.0)
    assert (reply.status, reply.body, reply.headers.get("retry-after")) == (201, b'{"id":1}', "3")


def test_a_request_carries_query_headers_credentials_and_the_trace(serve):
    server = serve(answer(OK))
    transport = HttpTransport(server.url + "/api/", {"authorization": "Bearer t"})
    transport.send(post("/sales", json={"a": 1}, headers={"idempotency-key": "k"}), 2.0, "00-trace-01", "a=1")
    transport.send(get("/sales", query={"reference": "CD 1/2&3"}), 2.0)
    first, second = (request.lower() for request in server.requests)
    assert first.startswith(b"post /api/sales http/1.1\r\n")
    assert first.endswith(b'\r\n\r\n{"a":1}')
    for header in (
        b"authorization: bearer t",
        b"idempotency-key: k",
        b"traceparent: 00-trace-01",
        b"tracestate: a=1",
    ):
        assert b"\r\n" + header + b"\r\n" in first
    assert b"accept-encoding" not in first
    assert b"trace" not in second
    assert second.startswith(b"get /api/sales?reference=cd+1%2f2%263 http/1.1\r\n")


def test_threads_share_connections_that_stay_open(serve):
    server = serve(answer(OK))
    transport = HttpTransport(server.url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: transport.send(get("/"), 2.0), range(40)))
    assert len(server.requests) == 40
    assert server.connections <= 8  # one more each, while the one that was used is on its way back


@pytest.mark.fault(10)
@pytest.mark.fault(21)
@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("name", "talk"),
    [
        ("reset after the request", reset),
        ("closed without a word", answer_and_close(b"")),
        ("half a head", answer_and_close(b"HTTP/1.1 200 O")),
        ("a body that was cut off", answer_and_close(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")),
        (
            "chunks cut off",
            answer_and_close(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        ),
        ("not HTTP", answer_and_close(b"SSH-2.0-OpenSSH_9.6\r\n")),
        ("one byte at a time", drip),
        ("silence", stay_silent),
    ],
)
def test_a_request_without_a_whole_reply_is_unclear(serve, name, talk):
    server = serve(talk)
    started = time.monotonic()
    with pytest.raises(UnclearError):
        HttpTransport(server.url).send(post("/sales", json={}), 0.2)
    assert time.monotonic() - started < 1.0


def test_a_body_in_late_pieces_is_read_to_its_end(serve):
    def talk(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            connection.sendall(b"3\r\nabc\r\n")
            time.sleep(0.02)
        connection.sendall(b"0\r\n\r\n")

    assert HttpTransport(serve(talk).url).send(get("/"), 2.0).body == b"abcabcabc"


@pytest.mark.fault(10)
def test_a_refused_connection_means_that_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSentError):
        HttpTransport(f"http://127.0.0.1:{port}").send(post("/sales", json={}), 2.0)


def test_an_unknown_host_means_that_nothing_was_sent():
    with pytest.raises(NotSentError):
        HttpTransport("http://partner.invalid").send(post("/sales", json={}), 2.0)


@pytest.mark.fault(24)
def test_a_partner_that_speaks_no_tls_is_never_sent_anything(serve):
    server = serve(answer(OK))
    with pytest.raises(NotSentError):
        HttpTransport(f"https://127.0.0.1:{server.port}").send(post("/sales", json={"secret": 1}), 2.0)
    assert not any(b"secret" in request for request in server.requests)


def self_signed(folder: Path) -> tuple[Path, bytes]:
    """A certificate for 127.0.0.1 that nobody has vouched for: the file of key and chain, and its PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    file = folder / "partner.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    return file, pem


@pytest.mark.fault(24)
def test_a_certificate_that_nobody_vouches_for_is_refused_and_one_that_we_trust_is_not(serve, tmp_path):
    file, pem = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    server = serve(answer(OK), context)
    url = f"https://127.0.0.1:{server.port}"
    with pytest.raises(NotSentError, match="certificate"):
        HttpTransport(url).send(post("/sales", json={}), 2.0)
    assert server.requests == []
    assert HttpTransport(url, root_certificate_pem=pem).send(post("/sales", json={}), 2.0).status == 200


def test_no_time_left_means_that_nothing_was_sent(serve):
    server = serve(answer(OK))
    with pytest.raises(NotSentError):
        HttpTransport(server.url).send(post("/sales", json={}), 0.0)
    assert server.requests == []


@pytest.mark.fault(48)
@pytest.mark.parametrize("size", [1001, 100_000])
def test_a_reply_above_the_limit_is_refused(serve, size):
    server = serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"a" * size))
    with pytest.raises(ContractError, match="1000 bytes"):
        HttpTransport(server.url, response_bytes_max=1000).send(get("/stock"), 2.0)


def test_a_reply_at_the_limit_is_taken(serve):
    server = serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"a" * 1000))
    assert len(HttpTransport(server.url, response_bytes_max=1000).send(get("/stock"), 2.0).body) == 1000


def test_a_redirect_is_not_followed_and_not_taken_for_success(serve):
    server = serve(answer(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"))
    with pytest.raises(ContractError, match="redirect"):
        HttpTransport(server.url).send(post("/sales", json={}), 2.0)
    assert len(server.requests) == 1


def test_a_server_error_is_a_reply_for_the_caller_to_judge(serve):
    server = serve(answer(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"))
    assert HttpTransport(server.url).send(get("/"), 2.0).status == 503


@pytest.mark.parametrize("url", ["", "partner.example", "ftp://partner.example"])
def test_an_address_that_is_none_is_a_mistake_of_the_configuration(url):
    with pytest.raises(ConfigurationError):
        HttpTransport(url)


def test_a_header_that_cannot_be_written_is_a_mistake_of_the_configuration(serve):
    server = serve(answer(OK))
    with pytest.raises(ConfigurationError):
        HttpTransport(server.url).send(post("/", json={}, headers={"x-key": "a\r\nb"}), 2.0)
    assert server.requests == []
