"""The edge: bodies that two readers would read in two ways, and texts that nothing can hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.web.bodies import MOST, check_address, check_body
from libs.web.problems import Problem
from tests.unit.web.test_web_keys import Stored
from tests.unit.web.writes import WRITES, every_route

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False,
    allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_a_body_that_can_be_held_passes(value: Any, escaped: bool) -> None:
    check_body(json.dumps(value, ensure_ascii=escaped).encode())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed-json"), (b"{}{}", "malformed-json"), (b"NaN", "malformed-json"),
        (b"[" * 100_000, "malformed-json"), (b'{"a":' * 65 + b"1" + b"}" * 65, "malformed-json"),
        (b'{"a": "\xe9"}', "malformed-json"), (b"\xef\xbb\xbf{}", "malformed-json"),
        ('{"a": 1}'.encode("utf-16"), "malformed-json"), (b'{"a": 01}', "malformed-json"),
        (b'{"a": 1, "a": 1}', "invalid-request"), (b'[{"b": {"a": 1, "\\u0061": 2}}]', "invalid-request"),
        (b"9223372036854775808", "invalid-request"), (b"[-9223372036854775809]", "invalid-request"),
        (b"9" * 10_000, "invalid-request"), (b'{"a": 1e999}', "invalid-request"),
        (b'{"a": ["\\u0000"]}', "invalid-request"), (b'{"\\u0000": 1}', "invalid-request"),
        (b'"\\ud800"', "malformed-json"), (b'{"\\uDFFF": 1}', "malformed-json"),
        (b'["\\ud83d", "\\ude00"]', "malformed-json"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Problem) as no:
        check_body(body)
    assert no.value.code == code


@pytest.mark.parametrize(
    "body", [b'"\\ud83d\\ude00"', b'"\\\\u0000"', b"9223372036854775807", b"1.5"]
)
def test_what_only_looks_like_it_passes(body: bytes) -> None:
    check_body(body)


@pytest.mark.parametrize(
    "part", [b"/a%00", b"/%FF", b"/%ED%A0%80", b"/%C0%80", b"/%", b"/%zz", b"a=%0"]
)
def test_an_address_that_nothing_can_hold_is_refused(part: bytes) -> None:
    check_address(b"/a%2Fb/%C3%A9", b"x=1+2%25")
    with pytest.raises(Problem):
        check_address(part)


@pytest.mark.parametrize("path", ["/orders/x/holds", "/payments/webhooks/stripe/card"])
async def test_whoever_goes_in_the_middle_of_a_body_is_no_fault_of_ours(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await every_route(Stored())(scope_of(path, {}), receive, send)
    assert sent == []
    assert "request-failed" not in capsys.readouterr().out


def scope_of(path: str, headers: dict[str, str]) -> Any:
    given_ = {"content-type": "application/json", "idempotency-key": "key-1"} | headers
    return {
        "type": "http", "http_version": "1.1", "method": "POST", "path": path, "query_string": b"",
        "raw_path": path.encode(), "scheme": "http", "server": ("x", 80),
        "headers": [(name.encode(), text.encode()) for name, text in given_.items()],
    }  # fmt: skip


async def streamed(parts: list[bytes], path: str, **headers: str) -> tuple[int, Any, int]:
    """The answer to a body in parts without a length, and how many of them were taken."""
    sent, left = [], list(parts)

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    await every_route(Stored())(scope_of(path, headers), receive, send)
    body = b"".join(one.get("body", b"") for one in sent)
    return sent[0]["status"], json.loads(body), len(parts) - len(left)


async def test_a_body_is_read_up_to_its_cap_and_no_further() -> None:
    path, fitting = WRITES["/orders/{order_id}/holds"]
    whole = json.dumps(fitting).encode()
    padded = [b" " * 65_536] * (MOST // 65_536 - 1)
    assert (await streamed([*padded, whole], path))[0] == 201
    status, told, taken = await streamed([*padded * 4, whole], path)
    assert (status, told["code"]) == (413, "body-too-large")
    assert taken == len(padded) + 2
    packed = {"content-encoding": "gzip"}
    assert (await streamed([whole], path, **packed))[1]["code"] == "content-encoding-not-supported"


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"]
)
async def test_a_body_that_says_that_it_is_json_is_taken(kind: str) -> None:
    path, fitting = WRITES["/orders/{order_id}/holds"]
    whole = json.dumps(fitting).encode()
    assert (await streamed([whole], path, **{"content-type": kind}))[0] == 201


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", "json"])
async def test_a_body_that_does_not_is_told_what_to_say(kind: str) -> None:
    path, fitting = WRITES["/orders/{order_id}/holds"]
    whole = json.dumps(fitting).encode()
    status, told, _ = await streamed([whole], path, **{"content-type": kind})
    assert (status, told["code"]) == (415, "content-type-not-supported")
    assert "Content-Type: application/json" in told["detail"]
    assert (await streamed([b""], path, **{"content-type": kind}))[0] == 422
