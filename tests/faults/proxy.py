"""A TCP proxy that breaks things: it stands between two parties that speak HTTP, and spoils what it is told to.

A fault is a function of one exchange, called with the request as it came and with the way to answer it. The connection
ends where it returns False. One request is under way on a connection at a time, as HTTP/1.1 without pipelining has it.
"""

import contextlib
import socket
import struct
import threading

RECEIVE_BYTES = 65_536
TIMEOUT_S = 30.0


class Exchange:
    """One request on its way: `forward` it, then `answer` with what came back, or with less."""

    def __init__(self, proxy, client, partner, request):
        self.proxy, self.request = proxy, request
        self._client, self._partner = client, partner

    @property
    def line(self):
        """`POST /erp/sales`, without the version."""
        return b" ".join(self.request.split(b"\r\n", 1)[0].split(b" ")[:2]).decode()

    def forward(self, request=None):
        """Send the request on, and return the whole reply; b"" where the partner hung up."""
        self._partner.sendall(self.request if request is None else request)
        return read_message(self._partner)

    def answer(self, reply):
        self._client.sendall(reply)

    def reset(self):
        """Hang up without a word: what is on its way is lost."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def wait(self, seconds):
        """Wait so long, or until the proxy ends."""
        self.proxy.ended.wait(seconds)


def honest(exchange):
    """No fault."""
    reply = exchange.forward()
    exchange.answer(reply)
    return bool(reply)


def request_lost(exchange):
    """The partner never sees it."""
    return exchange.reset()


def reply_lost(exchange):
    """The partner has done it, and nobody is told."""
    exchange.forward()
    return exchange.reset()


def reply_late(exchange):
    """The partner has done it, and says so when nobody listens any more."""
    reply = exchange.forward()
    exchange.wait(2.5)
    exchange.answer(reply)
    return False


def reply_cut(exchange):
    """The reply ends in the middle of its body, politely."""
    exchange.answer(exchange.forward()[:-2])
    return False


def head_cut(exchange):
    """The reply ends in the middle of its head."""
    exchange.answer(exchange.forward()[:20])
    return False


def reply_trickled(exchange):
    """The reply comes one byte at a time, and would take for ever."""
    for byte in exchange.forward():
        exchange.answer(bytes([byte]))
        exchange.wait(0.1)
    return False


def request_cut(exchange):
    """The partner sees half of the request, and then the end of it."""
    exchange._partner.sendall(exchange.request[: -len(exchange.request) // 3])
    exchange._partner.shutdown(socket.SHUT_WR)
    read_message(exchange._partner)
    return exchange.reset()


def not_http(exchange):
    """Something else than HTTP answers, though the partner has done it."""
    exchange.forward()
    exchange.answer(b"SSH-2.0-OpenSSH_9.6\r\n")
    return False


class Proxy:
    """Listens on a port of its own; `aim` says where it leads. `fault(n, exchange)` chooses what becomes of exchange n."""

    def __init__(self, fault=lambda number, exchange: honest):
        self.fault, self.seen, self.spoilt = fault, [], 0
        self.ended = threading.Event()
        self._target, self._lock, self._open = None, threading.Lock(), set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._listen, daemon=True).start()

    def aim(self, url):
        """Lead to the server at this address."""
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = (host, int(port))

    def cut_all(self):
        """Cut every connection at once; returns how many there were."""
        with self._lock:
            cut = list(self._open)
        for connection in cut:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return len(cut)

    def close(self):
        self.ended.set()
        self._listener.close()
        self.cut_all()

    def _listen(self):
        while not self.ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(self._target, 5) as partner:
            for each in (client, partner):
                each.settimeout(TIMEOUT_S)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, partner}
            try:
                while request := read_message(client):
                    exchange = Exchange(self, client, partner, request)
                    with self._lock:
                        number = len(self.seen)
                        self.seen.append(exchange.line)
                        fault = self.fault(number, exchange)
                        self.spoilt += fault is not honest
                    if not fault(exchange):
                        return
            finally:
                with self._lock:
                    self._open -= {client, partner}


def read_message(connection):
    """One whole HTTP message, by its content-length or its chunks; b"" where the other side hung up first."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(RECEIVE_BYTES)):
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            if not (part := connection.recv(RECEIVE_BYTES)):
                return b""
            body += part
    elif b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            if not (part := connection.recv(RECEIVE_BYTES)):
                return b""
            body += part
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def proxy(fault=lambda number, exchange: honest):
    """A proxy until the end of the body."""
    made = Proxy(fault)
    try:
        yield made
    finally:
        made.close()


def every(nth, fault, only=""):
    """Spoil each `nth` exchange whose line begins with `only`, and no other."""
    counted = iter(range(1, 2**62))

    def choose(number, exchange):
        if not exchange.line.startswith(only):
            return honest
        return fault if next(counted) % nth == 0 else honest

    return choose
