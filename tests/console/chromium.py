"""A real browser, driven over Chromium's own pipe: no driver, no port, no download."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
]
WAIT_S = 30.0


def installed():
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One page. `console` holds what it logged, errors of its content security policy included."""

    def __init__(self, folder, size=(1280, 900)):
        down_read, self._write = os.pipe()
        self._read, up_write = os.pipe()
        command = [
            "bash",
            "-c",
            f'exec "$@" 3<&{down_read} 4>&{up_write}',
            "bash",
            installed(),
            *FLAGS,
            f"--user-data-dir={folder}",
            f"--window-size={size[0]},{size[1]}",
        ]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, pass_fds=(down_read, up_write), stdin=quiet, stdout=quiet, stderr=quiet
        )
        os.close(down_read)
        os.close(up_write)
        self._ids = itertools.count(1)
        self._buffer = b""
        self._session = ""
        self.console = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(WAIT_S)

    def go(self, url):
        """Open an address and wait until it is loaded."""
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of an expression in the page."""
        reply = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            raise AssertionError(reply["exceptionDetails"])
        return reply["result"].get("value")

    def until(self, script):
        """Wait until an expression is true; pages may change meanwhile."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            try:
                if self.run(script):
                    return
            except (AssertionError, RuntimeError):
                pass  # the page is being replaced
            select.select([], [], [], 0.05)
        raise AssertionError(f"not true within {WAIT_S:.0f} s: {script}\n{self.text()[:2000]}")

    def submit(self, form, **fields):
        """Fill a form as a person does, send it, and wait for the page that comes."""
        self.run("window.left = true")
        for name, value in fields.items():
            place = f"document.querySelector({json.dumps(form)}).elements[{json.dumps(name)}]"
            self.run(f"{place}.value = {json.dumps(value)}")
        self.run(f"document.querySelector({json.dumps(form)}).requestSubmit()")
        self.until("!window.left && document.readyState === 'complete'")

    def text(self):
        """What a person reads."""
        return self.run("document.body.innerText")

    def dark(self):
        """Prefer dark colours from now on."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def size(self, width, height):
        """Be as wide as a telephone, for example."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self, path):
        """Take a screenshot of the whole page."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def send(self, method, **params):
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._receive()
            if reply.get("id") == number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]
            if reply.get("method") == "Log.entryAdded":
                self.console.append(reply["params"]["entry"]["text"])
            elif reply.get("method") == "Runtime.exceptionThrown":
                self.console.append(reply["params"]["exceptionDetails"]["text"])

    def _receive(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], WAIT_S)
            data = os.read(self._read, 1 << 16) if ready else b""
            if not data:
                raise RuntimeError("Chromium went away or does not answer")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
