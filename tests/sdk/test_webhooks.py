"""Signatures are compared in constant time, and whatever a stranger sends as one is a refusal (FAULTS.md 53)."""

import base64
import hmac

import pytest

from crossdock.errors import SignatureError
from crossdock.sdk import webhooks

BODY = b'{"order_id":"1"}'


def test_a_body_that_we_signed_is_accepted():
    webhooks.verify("secret", BODY, webhooks.sign("secret", BODY))


def test_a_vendor_that_signs_in_base64_without_a_prefix_is_accepted():
    given = base64.b64encode(hmac.digest(b"secret", BODY, "sha256")).decode()
    webhooks.verify("secret", BODY, given, header="x-vendor-hmac", encoding="base64", prefix="")


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    "given",
    ["", "sha256=", "sha256=zz", "sha256=é", "sha256=\udcff", "md5=00", "sha256=" + "00" * 32, "\0"],
)
def test_any_other_signature_is_refused_by_the_name_of_its_header(given):
    with pytest.raises(SignatureError) as caught:
        webhooks.verify("secret", BODY, given)
    assert caught.value.field == webhooks.SIGNATURE
    assert "secret" not in str(caught.value).replace("webhook secret", "")


def test_an_empty_secret_verifies_nothing():
    with pytest.raises(SignatureError):
        webhooks.verify("", BODY, webhooks.sign("", BODY))
