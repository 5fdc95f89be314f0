"""Objects that serve request after request, and str that do: nobody may notice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from server import IS_ASAN, IS_TSAN, Client, Server


@pytest.fixture(scope="module")
def alone(serve_module) -> Server:
    """One thread, so that its objects are met again."""
    return serve_module("reuse:application", threads=1)


def ask(client: Client, where: str, *fields, method="GET", body=None):
    response = client.request(method, where, fields, body)
    assert response.status == 200, response
    return json.loads(response.body)


def echoed(client: Client, *fields, where="/echo") -> dict[str, str]:
    return ask(client, where, *fields)


# ---- objects


def test_what_nobody_keeps_serves_again(alone):
    with alone.client() as client:
        first = ask(client, "/identities", method="POST", body=b"1")
        assert ask(client, "/identities", method="POST", body=b"2") == first


def test_what_is_kept_serves_no_other_request(alone):
    with alone.client() as client:
        for body in b"first", b"second", b"third":
            ask(client, "/keep?a", ("X-A", "1"), method="POST", body=b"kept")
            found = ask(client, "/compare", ("X-A", "2"), method="POST", body=body)
            assert found == {
                "same": [False] * 4,
                "start_response": "RuntimeError",
                "input": "ValueError",
                "gone": [True, False],
                "changed": False,
                "body": body.decode(),
            }


def test_write_that_is_kept_serves_no_other_request(alone):
    with alone.client() as client:
        for _ in range(3):
            ask(client, "/keep-write")
            assert ask(client, "/compare-write") == [False, "RuntimeError"]


def test_changes_to_environ_are_not_seen_by_the_next_request(alone):
    with alone.client() as client:
        before = echoed(client, ("X-A", "1"))
        ask(client, "/spoil", ("X-A", "1"))
        assert echoed(client, ("X-A", "1")) == before


# ---- values

NAMES = ["Host", "User-Agent", "Accept", "Origin", "X-Forwarded-For", "X-Mine"]


def test_values_of_one_length_are_told_apart(alone):
    with alone.client() as client:
        for turn in range(60):
            # The bytes in the middle and at the end are what a hash looks at.
            value = f"{turn * 7919 % 100000:05d}.example.{turn % 3}"
            path = f"/{turn * 104729 % 100000:05d}/{turn % 2}"
            fields = [(name, value) for name in NAMES]
            found = echoed(client, *fields, where=f"{path}?q={value}")
            for name in NAMES:
                assert found["HTTP_" + name.upper().replace("-", "_")] == value
            assert found["PATH_INFO"] == path
            assert found["QUERY_STRING"] == f"q={value}"
            assert found["RAW_URI"] == found["REQUEST_URI"] == f"{path}?q={value}"


def test_what_a_request_does_not_have_is_not_there(alone):
    with alone.client() as client:
        echoed(client, ("User-Agent", "one"), ("X-Mine", "two"), where="/a?b=c")
        found = echoed(client, where="/a")
        assert found["QUERY_STRING"] == "" and found["RAW_URI"] == "/a"
        assert "HTTP_USER_AGENT" not in found and "HTTP_X_MINE" not in found


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 1000])
def test_values_of_any_length_are_right_twice(alone, length):
    value = "v" * length
    with alone.client() as client:
        for _ in range(2):
            found = echoed(client, ("User-Agent", value), where=f"/{value}")
            assert found["HTTP_USER_AGENT"] == value
            assert found["PATH_INFO"] == found["RAW_URI"] == "/" + value
        found = echoed(client, where="/short?x")
        assert found["PATH_INFO"] == "/short" and found["RAW_URI"] == "/short?x"


def test_names_are_one_in_any_case(alone):
    with alone.client() as client:
        for name in "User-Agent", "user-agent", "USER-AGENT", "X-Own", "x-oWN":
            found = echoed(client, (name, "value"))
            assert found["HTTP_" + name.upper().replace("-", "_")] == "value"


SECRETS = {
    "Cookie": "session=0123456789abcdef",
    "Authorization": "Basic MDEyMzQ1Njc4OWFiY2RlZg==",
    "Proxy-Authorization": "Basic ZmVkY2JhOTg3NjU0MzIxMA==",
    "X-Api-Key": "0123456789abcdef0123456789abcdef",
}


def test_secrets_live_in_their_environ_alone(alone):
    fields = [("User-Agent", "not a secret"), *SECRETS.items()]
    with alone.client() as client:
        for _ in range(3):
            found = ask(client, "/references", *fields)
            for name in SECRETS:
                assert found["HTTP_" + name.upper().replace("-", "_")] == 0, name
            # The count does show what is kept.
            assert found["HTTP_USER_AGENT"] > 0


def test_a_flood_of_names_and_values_fits(alone):
    def flood(client: Client, start: int) -> None:
        for first in range(start, start + 2500, 50):
            fields = [(f"X-Flood-{n}", f"value {n}") for n in range(first, first + 50)]
            fields[:0] = [("User-Agent", f"agent {first}"), ("Referer", f"/{first}")]
            found = echoed(client, *fields, where=f"/flood/{first}")
            assert found["PATH_INFO"] == f"/flood/{first}"
            assert found["HTTP_USER_AGENT"] == f"agent {first}"
            for name, value in fields[2:]:
                assert found["HTTP_" + name.upper().replace("-", "_")] == value

    with alone.client() as client:
        flood(client, 0)
        before = ask(client, "/resident")
        for start in 2500, 5000, 7500, 10000:
            flood(client, start)
        # 10,000 names that were not let go of would be more than this.
        if not IS_ASAN and not IS_TSAN:
            assert ask(client, "/resident") < before + 512


# ---- several at once


def test_threads_do_not_mix_what_they_keep(serve):
    server = serve("reuse:application", threads=4)

    def visit(number: int) -> None:
        with server.client() as client:
            for turn in range(100):
                value = f"client {number} turn {turn % 10}"
                found = echoed(
                    client,
                    ("User-Agent", value),
                    ("Cookie", value),
                    ("X-Mine", value),
                    where=f"/{number}/{turn % 7}?{number}",
                )
                assert found["PATH_INFO"] == f"/{number}/{turn % 7}"
                assert found["QUERY_STRING"] == str(number)
                for name in "HTTP_USER_AGENT", "HTTP_COOKIE", "HTTP_X_MINE":
                    assert found[name] == value
                assert found["REMOTE_PORT"] == str(client.socket.getsockname()[1])

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(visit, range(8)))


def test_both_kinds_of_listener_serve_in_turn(serve, tmp_path):
    path = str(tmp_path / "socket")
    server = serve("reuse:application", threads=1, bind=["127.0.0.1:0", f"unix:{path}"])
    with server.client() as tcp, Client(path) as unix:
        for _ in range(3):
            found = echoed(tcp, ("Host", "a.example"))
            assert found["REMOTE_PORT"] == str(tcp.socket.getsockname()[1])
            assert found["REMOTE_ADDR"] == found["SERVER_NAME"] == "127.0.0.1"
            assert found["SERVER_PORT"] == str(server.port)
            found = echoed(unix, ("Host", "b.example:81"))
            assert "REMOTE_PORT" not in found and found["REMOTE_ADDR"] == ""
            assert found["SERVER_NAME"] == "b.example" and found["SERVER_PORT"] == "81"
