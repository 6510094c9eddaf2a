"""The console without a browser: cookies and forms as one sends them."""

import re
from urllib.parse import urlencode


class Console:
    """One visitor."""

    def __init__(self, api):
        self.api = api
        self.cookie = None

    def log_in(self, token=None):
        reply = self.send("/login", token=token or self.api.token, then="/")
        assert reply.status == 303, reply.text
        self.cookie = reply.cookies[0].partition(";")[0]
        return self

    def get(self, path):
        return self.api.get(path, authorization=None, cookie=self.cookie)

    def send(self, path, headers=None, **fields):
        body = urlencode(fields).encode()
        kind = "application/x-www-form-urlencoded"
        given = {"content_type": kind, "authorization": None, "cookie": self.cookie} | (headers or {})
        return self.api.post(path, body, **given)

    def csrf(self, path="/proof"):
        """What a form of this session carries."""
        return re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text).group(1)
