"""PEP 3333, from start_response to close(), as far as a client or a log can tell."""

from __future__ import annotations

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from apps.wsgi_cases import FILE, HEADS
from server import IS_ASAN, IS_TSAN, PYTHON, Client, Closed, Response, Server, wait_until

KEEP_ALIVE = [("Connection", "keep-alive")]
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def cases(serve_module) -> Server:
    return serve_module("wsgi_cases:application", threads=3)


def target(page: str, **query: object) -> str:
    return f"/{page}?{urlencode(query)}"


def get_json(server: Server, page: str, **query: object):
    response = server.get(target(page, **query))
    assert response.status == 200, response
    return json.loads(response.body)


def ask(server: Server, method: str, where: str, *fields, version="HTTP/1.1"):
    """One request, and whether its connection serves another one after it."""
    with server.client() as client:
        response = client.request(method, where, fields, version=version)
        if response.framing == "close" or client_is_done(client, response, version):
            return response, False
        client.request("GET", "/result?of=one", fields, version=version)
        return response, True


def client_is_done(client: Client, response: Response, version: str) -> bool:
    asked = (response.header("Connection") or "").lower()
    if asked != ("keep-alive" if version == "HTTP/1.0" else ""):
        assert client.closed()
        return True
    return False


def cut(server: Server, where: str, method: str = "GET") -> bytes:
    """All that comes of a reply that is not whole."""
    with server.client() as client:
        client.send_request(method, where)
        with pytest.raises(Closed) as closed:
            client.read_response(method)
        return closed.value.got


# ---- framing: what is returned, and how it is told where it ends

FRAMING = [
    # of, version, length, framing, stays
    ("one", "HTTP/1.1", "2", "length", True),
    ("one", "HTTP/1.0", "2", "length", True),
    ("tuple", "HTTP/1.1", "7", "length", True),
    ("several", "HTTP/1.1", "6", "length", True),
    ("none", "HTTP/1.1", "0", "length", True),
    ("none", "HTTP/1.0", "0", "length", True),
    ("only empty", "HTTP/1.1", "0", "length", True),
    ("subclass", "HTTP/1.1", "8", "length", True),
    ("generator", "HTTP/1.1", None, "chunked", True),
    ("generator", "HTTP/1.0", None, "close", False),
    ("generator of one", "HTTP/1.1", None, "chunked", True),
    ("empty generator", "HTTP/1.1", "0", "length", True),
    ("empty generator", "HTTP/1.0", "0", "length", True),
    ("generator of empty", "HTTP/1.1", "0", "length", True),
    ("empty items between", "HTTP/1.1", None, "chunked", True),
    ("iterator", "HTTP/1.1", None, "chunked", True),
    ("map", "HTTP/1.1", None, "chunked", True),
    ("set", "HTTP/1.1", None, "chunked", True),
]
BODIES = {
    "one": b"hi",
    "tuple": b"hithere",
    "several": b"abcdef",
    "subclass": b"subclass",
    "generator": b"abcdef",
    "generator of one": b"abc",
    "empty items between": b"ab",
    "iterator": b"ab",
    "map": b"AB",
    "set": b"abc",
}


@pytest.mark.parametrize("of, version, length, framing, stays", FRAMING)
def test_end_of_body_is_told(cases, of, version, length, framing, stays):
    response, stayed = ask(
        cases, "GET", target("result", of=of), *KEEP_ALIVE, version=version
    )
    assert (response.status, response.body) == (200, BODIES.get(of, b""))
    assert response.header("Content-Length") == length
    assert (response.framing, stayed) == (framing, stays)


def test_length_of_the_application_counts(cases):
    where = target("result", of="generator", headers="Content-Length:6")
    response, stayed = ask(cases, "GET", where)
    assert response.framing == "length" and response.body == b"abcdef" and stayed


@pytest.mark.parametrize("of", ["one", "generator", "none", "empty generator"])
def test_body_shorter_than_its_length_is_cut_off(cases, of):
    before = len(cases.errors.find("Content-Length was 50"))
    where = target("result", of=of, headers="Content-Length:50")
    assert cut(cases, where) == BODIES.get(of, b"")
    line = cases.wait_for_line("Content-Length was 50", count=before + 1).string
    assert "[error]" in line and f"GET {where} HTTP/1.1" in line


@pytest.mark.parametrize("of", ["several", "generator"])
def test_body_longer_than_its_length_is_truncated_and_closes(cases, of):
    before = len(cases.errors.find("longer than its Content-Length of 2"))
    where = target("result", of=of, headers="Content-Length:2")
    with cases.client() as client:
        response = client.request("GET", where)
        assert (response.status, response.body) == (200, b"ab")
        assert client.closed()
    line = cases.wait_for_line(
        "longer than its Content-Length of 2", count=before + 1
    ).string
    assert "[warning]" in line and where in line


def test_body_longer_than_its_length_is_told_once(cases):
    """However often write() is called after that."""
    where = target("written", length=1)
    assert cases.get(where).body == b"o"
    with cases.client() as client:
        client.send(b"GET /behind-it HTTP/1.1\r\n\r\n")
        assert client.read_response().status == 400
    cases.wait_for_line("GET /behind-it")
    said = cases.errors.find("longer than its Content-Length of 1:")
    assert [where in found.string for found in said] == [True]


@pytest.mark.parametrize(
    "of, headers, length",
    [
        ("one", "", "2"),
        ("several", "", "6"),
        ("none", "", None),
        ("generator", "", None),
        ("empty generator", "", None),
        ("generator", "Content-Length:6", "6"),
        ("none", "Content-Length:1234", "1234"),
        ("one", "Content-Length:1234", "1234"),
    ],
)
def test_head_has_the_length_of_get_and_no_body(cases, of, headers, length):
    where = target("result", of=of, headers=headers)
    response, stayed = ask(cases, "HEAD", where)
    assert response.status == 200 and stayed
    assert response.header("Content-Length") == length
    assert response.header("Transfer-Encoding") is None


@pytest.mark.parametrize("of", ["one", "none", "generator", "empty generator"])
@pytest.mark.parametrize(
    "status, headers, length",
    [
        ("204 No Content", "", None),
        ("204 No Content", "Content-Length:2", None),
        ("205 Reset Content", "", "0"),
        ("205 Reset Content", "Content-Length:2", "0"),
        ("304 Not Modified", "", None),
        ("304 Not Modified", "Content-Length:1234", "1234"),
    ],
)
def test_bodiless_status_has_no_body(cases, of, status, headers, length):
    """Whatever the application returns, and nothing is said against it."""
    where = target("result", of=of, status=status, headers=headers)
    before = len(cases.log)
    response, stayed = ask(cases, "GET", where)
    assert response.status == int(status[:3]) and response.body == b"" and stayed
    assert not [line for line in cases.log[before:] if where in line]
    assert response.header("Content-Length") == length
    assert response.header("Transfer-Encoding") is None


@pytest.mark.parametrize(
    "of, said",
    [
        ("str", "TypeError: .*str"),
        ("late str", "TypeError: .*item 1.*str"),
        ("str in generator", "TypeError: .*str"),
        ("bytearray", "TypeError: .*bytearray"),
        ("memoryview", "TypeError: .*memoryview"),
        ("number in generator", "TypeError: .*int"),
    ],
)
def test_body_of_anything_but_bytes_is_500(cases, of, said):
    before = len(cases.errors.find(said))
    where = target("result", of=of, headers="X-Old:1|Content-Length:3")
    response, stayed = ask(cases, "GET", where)
    assert response.status == 500 and not stayed
    assert response.header("X-Old") is None
    cases.wait_for_line(said, count=before + 1)


def test_no_start_response_at_all_is_500(cases):
    assert cases.get("/no-start-late").status == 500
    cases.wait_for_line(r"no-start-late HTTP/1.1: AssertionError.*start_response")


# ---- start_response


@pytest.mark.parametrize("of", HEADS)
def test_bad_head_is_500(cases, of):
    where = target("head", of=of)
    response, stayed = ask(cases, "GET", where)
    assert response.status == 500 and not stayed
    assert b"500 Internal Server Error" in response.body
    cases.wait_for_line(re.escape(f"error in GET {where} HTTP/1.1: Traceback"))


@pytest.mark.parametrize("of", set(HEADS) - {"name that has no repr"})
def test_bad_head_is_an_exception_that_can_be_caught(cases, of):
    response, stayed = ask(cases, "GET", target("head", of=of, again=1))
    assert (response.status, response.body) == (200, b"hi") and stayed
    kind = "TypeError" if re.search(r" of (?!a word)", of) else "ValueError"
    assert response.header("X-Error") == kind


def test_latin1_goes_through(cases):
    response = cases.get("/latin1")
    assert response.reason == "Tr\xe8s bien"
    assert response.header("X-Name") == "caf\xe9"
    assert response.header("X-Empty") == ""


def test_fields_of_the_application_are_kept(cases):
    response = cases.get("/own-fields")
    assert response.header("Server") == "mine"
    assert response.header("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert response.header("Via") is None


def test_connection_close_of_the_application_is_obeyed(cases):
    where = target("result", of="one", headers="Connection:close")
    response, stayed = ask(cases, "GET", where)
    assert response.closes and not stayed


def test_hop_by_hop_fields_are_dropped_with_a_warning(serve):
    server = serve("wsgi_cases:application", threads=1)
    fields = "Keep-Alive:x|Upgrade:y|Transfer-Encoding:chunked|Trailer:a|X-End:z"
    where = target("result", of="one", headers=fields)
    for _ in range(3):
        response = server.get(where)
        assert response.status == 200
        assert (response.body, response.framing) == (b"hi", "length")
        for name in ("Keep-Alive", "Upgrade", "Transfer-Encoding", "Trailer"):
            assert response.header(name) is None
        assert response.header("X-End") == "z"
    server.wait_for_line(r"\[warning\].*Keep-Alive")
    assert len(server.errors.find("left out the field")) == 1


def test_wrong_calls_raise(cases):
    wrong, again = "TypeError", "AssertionError"
    # Seven wrong ones; a good one; again; replaced; five of write().
    assert get_json(cases, "calls") == (
        [wrong] * 7 + [None, again, None] + [wrong] * 4 + [None]
    )


def test_exc_info_before_the_head_replaces_it(cases):
    response = cases.get("/keep-exception")
    assert (response.status, response.body) == (500, b"mine")


def test_exc_info_after_the_head_is_raised_again(cases):
    response = cases.get("/reraise")
    assert (response.status, response.body) == (200, b"begun same")


@pytest.mark.parametrize("of", ["one", "generator", "none", "empty generator"])
def test_what_is_written_comes_before_the_iterable(cases, of):
    response, stayed = ask(cases, "GET", target("written", of=of))
    assert response.body == b"one two " + BODIES.get(of, b"")
    assert response.framing == "chunked" and stayed


def test_what_is_written_counts_for_the_length(cases):
    response, stayed = ask(cases, "GET", target("written", length=10))
    assert response.body == b"one two hi" and response.framing == "length" and stayed
    assert cut(cases, target("written", length=11)) == b"one two hi"
    assert cases.get(target("written", length=5)).body == b"one t"
    assert cases.get("/written-only").body == b"only"


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
@pytest.mark.parametrize("length", [None, 2, 9])
def test_nothing_can_be_written_from_close(cases, status, length):
    """The reply is over, which is no fault of the client's."""
    query = {"status": status} | ({"length": length} if length else {})
    where = target("write-in-close", **query)
    with cases.client() as client:
        if length == 9 and status == "200 OK":
            assert cut(cases, where) == b"hi"
        else:
            assert client.request("GET", where).status == int(status[:3])
    wait_until(
        lambda: get_json(cases, "show-counts")
        == {"RuntimeError: write: the reply is over": 2},
        "write() was called",
    )


def test_what_is_written_to_a_head_request_is_dropped(cases):
    response, stayed = ask(cases, "HEAD", target("written", length=10))
    assert response.header("Content-Length") == "10" and stayed


def test_what_is_written_is_sent_at_once(cases, tmp_path):
    path = tmp_path / "go on"
    with cases.client() as client:
        client.send_request("GET", target("write-as-we-go", path=path))
        client.read_head()
        wait_until(lambda: b"first" in client.buffer or client._fill(), "the first")
        path.touch()
        wait_until(lambda: b"second" in client.buffer or client._fill(), "the second")


# ---- when the request is over


def test_what_is_kept_is_dead_when_the_request_is_over(cases):
    with cases.client() as client:
        client.request("POST", "/keep", body=b"a body")
        found = json.loads(client.request("GET", "/use-kept").body)
    assert found.pop("gone") is True and found.pop("closed") is True
    assert found.pop("start_response") == found.pop("write") == "RuntimeError"
    assert set(found.values()) == {"ValueError"}


def test_what_is_kept_without_a_body_does_no_harm(cases):
    cases.get("/keep")
    found = get_json(cases, "use-kept")
    assert found["start_response"] == found["write"] == "RuntimeError"
    assert found["gone"] is True


def test_destructors_find_the_request_over(cases):
    with cases.client() as client:
        client.request("POST", "/keep-stubbornly", body=b"a body")
        where = target("use-kept", **{"at the end": 1})
        found = json.loads(client.request("GET", where).body)
    assert found.pop("start_response") == "RuntimeError"
    assert set(found.values()) == {"ValueError"}


# ---- environ


def environ_of(server: Server, method="GET", where="/x", *fields, body=None) -> dict:
    with server.client() as client:
        return json.loads(client.request(method, where, fields, body).body)


def test_environ_is_a_plain_dict_of_plain_objects(cases):
    found = environ_of(cases, "POST", "/x?y", ("X-A", "1"), body=b"z")
    assert found["type"] == "dict" and found["version"] is True
    types = found["types"]
    upper = [name for name in types if name.isupper()]
    assert {types[name] for name in upper} == {"str"} and len(upper) > 12
    assert types["wsgi.version"] == "tuple"
    assert found["wsgi.url_scheme"] == "http"
    assert found["wsgi.multithread"] is True and found["wsgi.multiprocess"] is False
    assert found["wsgi.run_once"] is False
    assert found["wsgi.input_terminated"] is True
    assert found["gone"] is False
    assert found["cgthread.worker"] == 1 and 1 <= found["cgthread.thread"] <= 3
    assert re.fullmatch(r"cgthread/[0-9.]+", found["SERVER_SOFTWARE"])
    assert found["SERVER_NAME"] == found["REMOTE_ADDR"] == "127.0.0.1"
    assert found["SERVER_PORT"] == str(cases.port)
    assert 0 < int(found["REMOTE_PORT"]) < 65536


def test_flags_tell_of_threads_and_processes(serve):
    server = serve("wsgi_cases:application", threads=1, workers=2)
    found = environ_of(server)
    assert found["wsgi.multithread"] is False and found["wsgi.multiprocess"] is True


@pytest.mark.parametrize(
    "sent, path",
    [
        ("/a%2Fb", "/a/b"),
        ("//a//b", "//a//b"),
        ("/a%zzb", "/a%zzb"),
        ("/a%", "/a%"),
        ("/a%4", "/a%4"),
        ("/%C3%a9", "/\xc3\xa9"),
        ("/\xe9", "/\xe9"),
        ("/%00", "/\0"),
        ("/a+b;c=d", "/a+b;c=d"),
        ("/" + "%41" * 600, "/" + "A" * 600),
        ("http://host/p%41", "/pA"),
        ("http://host", "/"),
        ("http://host?q", "/"),
    ],
)
def test_path_is_unescaped_and_the_target_kept(cases, sent, path):
    found = environ_of(cases, "GET", sent)
    assert found["PATH_INFO"] == path
    assert found["RAW_URI"] == found["REQUEST_URI"] == sent
    assert found["SCRIPT_NAME"] == ""


def test_options_may_ask_for_everything(cases):
    found = environ_of(cases, "OPTIONS", "*")
    assert found["PATH_INFO"] == found["RAW_URI"] == "*"


def test_host_of_the_target_goes_before_the_field(cases):
    found = environ_of(cases, "GET", "http://inner:81/x", ("Host", "outer"))
    assert found["HTTP_HOST"] == "inner:81"


def test_fields_become_variables(cases):
    found = environ_of(
        cases,
        "PROPFIND",
        "/x",
        ("X-Thing", "a\xe9"),
        ("x-thing", "b"),
        ("X-Same", "a"),
        ("X-Same", "a"),
        ("X_Thing", "dropped"),
        ("Proxy", "dropped"),
        ("COOKIE", "a=1"),
        ("Cookie", "b=2"),
        ("X-Empty", ""),
        ("Content-Type", "text/plain"),
        body=b"12345",
    )
    assert found["REQUEST_METHOD"] == "PROPFIND"
    assert found["HTTP_X_THING"] == "a\xe9,b" and found["HTTP_X_SAME"] == "a,a"
    assert found["HTTP_COOKIE"] == "a=1; b=2" and found["HTTP_X_EMPTY"] == ""
    assert found["CONTENT_TYPE"] == "text/plain" and found["CONTENT_LENGTH"] == "5"
    for name in ("HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        assert name not in found


def test_chunked_body_has_the_length_it_had(cases):
    with cases.client() as client:
        client.send_request("POST", "/x", [("Transfer-Encoding", "chunked")])
        client.send(b"5\r\nabcde\r\n2\r\nfg\r\n0\r\n\r\n")
        found = json.loads(client.read_response().body)
    assert found["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_protocol_is_as_sent(cases):
    with cases.client() as client:
        response = client.request("GET", "/x", version="HTTP/1.0")
    assert json.loads(response.body)["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert environ_of(cases)["SERVER_PROTOCOL"] == "HTTP/1.1"


@pytest.mark.parametrize(
    "host, name, port",
    [
        ("a.example:81", "a.example", "81"),
        ("a.example", "a.example", "80"),
        ("[::1]:82", "[::1]", "82"),
        ("[::1]", "[::1]", "80"),
        ("", "localhost", "80"),
        ("h:", "h", "80"),
        ("h:123456", "h", "80"),
        ("h:65535", "h", "65535"),
        ("h:65536", "h", "80"),
        ("h:99999", "h", "80"),
        ("h:0", "h", "80"),
        ("h:00000", "h", "80"),
        ("h:00081", "h", "81"),
    ],
)
def test_unix_socket_has_the_name_of_the_host(unix, host, name, port):
    with Client(unix) as client:
        found = json.loads(client.request("GET", "/x", [("Host", host)]).body)
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == (name, port)
    assert found["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in found


@pytest.fixture(scope="module")
def unix(serve_module, tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("unix") / "socket")
    serve_module("wsgi_cases:application", bind=[f"unix:{path}"])
    return path


# ---- wsgi.input and wsgi.errors


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"one line",
        b"a line\nand another\n\n\nand the end",
        b"\r\n".join(b"x" * n for n in range(90)),
        bytes(range(256)) * 40,
    ],
    ids=["empty", "newline", "no newline", "lines", "long lines", "binary"],
)
def test_input_reads_as_a_file_in_memory_does(cases, body):
    with cases.client() as client:
        for seed in range(5):
            response = client.request(
                "POST", target("read-as-bytesio", seed=seed), body=body
            )
            assert response.body == str(len(body)).encode()


@pytest.mark.parametrize("method", ["read", "readline", "readlines"])
def test_number_that_reads_itself_leaves_less_to_read(cases, method):
    with cases.client() as client:
        for body, number, left in ((12, 12, 2), (12, -1, 2), (12, 1, 1), (10, 10, 0)):
            where = target("read-while-asked", method=method, number=number)
            response = client.request("POST", where, body=b"x" * body)
            whole = method == "readlines"  # it cuts no line
            assert response.body == str(2 if left and whole else left).encode()


@pytest.mark.parametrize("method", ["read", "readline", "readlines"])
def test_number_that_outlives_the_request_reads_nothing(cases, method):
    where = target("read-past-the-end", method=method)
    with cases.client() as client:
        assert client.request("POST", where, body=b"x" * 10).status == 200
    assert "the request to which it belongs is over" in get_json(cases, "show-raised")


def test_errors_are_lines_of_the_log(cases):
    assert cases.get(target("complain", key="K1")).status == 200
    for said in (
        "K1 begins and ends",
        "K1 two",
        "K1 three",
        "K1 printed .* \xe9",
        "K1 flushed",
        "x{99} K1 long",
        "K1 left over",
    ):
        line = cases.wait_for_line(rf"thread \d: (?:K1 x*|x*)?{said}$").string
        assert "[error]" in line
    cases.wait_for_line("K1 refused", count=2)


def test_errors_of_two_threads_do_not_mix(cases):
    with ThreadPoolExecutor(3) as clients:
        keys = [f"C{i}" for i in range(3)]
        list(clients.map(lambda k: cases.get(target("complain-together", key=k)), keys))
    for key in keys:
        cases.wait_for_line(f": <{key} {key}>$", count=50)


# ---- wsgi.file_wrapper


@pytest.mark.parametrize(
    "of, body, is_known",
    [
        ("file", FILE, True),
        ("counting", FILE, True),
        ("empty", b"", True),
        ("offset", FILE[299_990:], True),
        ("read ahead", FILE[11:], True),
        ("behind the end", b"", True),
        ("memory", FILE, False),
        ("empty memory", b"", True),
        ("only read", FILE, False),
        ("zipped", FILE, False),
        ("outer zipped", FILE, False),
        ("outer", FILE, True),
        ("pipe", b"piped", False),
        ("no position", FILE, False),
        ("sparse", bytes(5000), True),
    ],
)
def test_file_is_sent_from_where_it_is(cases, of, body, is_known):
    where = target("wrapped", of=of)
    response, stayed = ask(cases, "GET", where)
    assert response.status == 200 and stayed
    assert response.body == body
    assert response.header("Content-Length") == (str(len(body)) if is_known else None)
    head, stayed = ask(cases, "HEAD", where)
    assert stayed
    assert head.header("Content-Length") == (
        str(len(body)) if is_known and body else None
    )


def test_file_is_sent_without_reading_it_and_closed_once(cases):
    with cases.client() as client:
        client.request("GET", target("wrapped", of="counting"))
        found = json.loads(client.request("GET", "/show-counts").body)
        assert found == {"close": 1}
        client.request("GET", target("wrapped", of="no position", block=100_000))
        found = json.loads(client.request("GET", "/show-counts").body)
        assert found == {"close": 1, "read": 5}


def test_file_is_sent_with_what_was_written_to_its_buffer(cases, tmp_path):
    done = tmp_path / "done"
    response = cases.get(target("wrapped-late-close", path=done))
    done.touch()
    assert response.body == FILE[:10] + b"B" * 10 + FILE[20:]
    assert response.header("Content-Length") == str(len(FILE))


@pytest.mark.parametrize("buffering", [0, 8192])
@pytest.mark.parametrize("path", ["/proc/version", "/sys/devices/system/cpu/online"])
def test_file_whose_size_is_not_its_length_is_read(cases, path, buffering):
    """The one says that it is empty, the other that it is a page long."""
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    with open(path, "rb") as file:
        want = file.read()
    assert want and len(want) != os.stat(path).st_size
    where = target("wrapped", path=path, buffering=buffering)
    response, stayed = ask(cases, "GET", where)
    assert response.status == 200 and stayed
    assert response.body == want and response.framing == "chunked"


@pytest.mark.parametrize("of", ["file", "memory"])
def test_length_of_the_application_bounds_the_file(cases, of):
    where = target("wrapped", of=of, headers="Content-Length:1000")
    with cases.client() as client:
        assert client.request("GET", where).body == FILE[:1000]


@pytest.mark.parametrize("length", [1000, 0])
def test_connection_stays_after_a_part_of_a_file(cases, length):
    """As a reply to a range has it."""
    where = target("wrapped", of="read ahead", headers=f"Content-Length:{length}")
    with cases.client() as client:
        for _ in range(2):
            response = client.request("GET", where)
            assert response.body == FILE[11 : 11 + length] and not response.closes


@pytest.mark.parametrize("of", ["offset", "empty", "read ahead"])
def test_file_shorter_than_its_length_is_cut_off(cases, of):
    where = target("wrapped", of=of, headers="Content-Length:999999")
    assert FILE.endswith(cut(cases, where))


def test_file_follows_what_was_written(cases):
    where = target("wrapped", of="file", write=1)
    response, stayed = ask(cases, "GET", where)
    assert response.body == b"written " + FILE and stayed


def test_file_in_http10_has_a_length(cases):
    where = target("wrapped", of="file")
    response, stayed = ask(cases, "GET", where, *KEEP_ALIVE, version="HTTP/1.0")
    assert response.body == FILE and response.framing == "length" and stayed


@pytest.mark.parametrize(
    "page, query",
    [
        ("wrapped", {"of": "text"}),
        ("wrapped", {"of": "closed"}),
        ("wrapped", {"of": "write-only"}),
        ("wrapped", {"of": "write-only, empty"}),
        ("wrapped", {"of": "file", "block": 0}),
        ("wrapped-without-start", {}),
    ],
)
def test_file_that_cannot_be_sent_is_500(cases, page, query):
    assert cases.get(target(page, **query)).status == 500


def test_wrapper_is_an_iterable_of_blocks(cases):
    assert get_json(cases, "wrapper-by-hand") == (
        ["abc", "def", "g", 2, True, "cde", True, False]
        + ["TypeError", "ValueError", "TypeError", "TypeError"]
    )


# ---- clients that leave


@pytest.mark.parametrize(
    "page, wanted",
    [
        ("endless", {"closed": 1, "gone": True}),
        ("endless-write", {"BrokenPipeError": 1}),
        ("await-departure", {"begun": 1, "left": 1}),
    ],
)
def test_application_notices_that_its_client_has_left(cases, page, wanted):
    before = len(cases.log)
    with cases.client() as client:
        client.send_request("GET", f"/{page}")
        if page == "await-departure":
            wait_until(lambda: get_json(cases, "show-counts") == {"begun": 1}, "begun")
        else:
            client.read_head()
    wait_until(lambda: get_json(cases, "show-counts") == wanted, f"{wanted}")
    assert not [line for line in cases.log[before:] if page in line]


# ---- exceptions in the log


@pytest.mark.parametrize(
    "page, said",
    [
        ("memory-error", r": MemoryError at .*wsgi_cases\.py:\d+$"),
        ("silent-error", r"Silent: <(exception str|unprintable)"),
        ("surrogate-error", r"a \\udc80 surrogate"),
        ("surrogate-error", r"and \\x1b\[31m a line"),
        ("deep-error", r"RecursionError"),
    ],
)
def test_strange_exceptions_are_logged(cases, page, said):
    assert cases.get(f"/{page}").status == 500
    cases.wait_for_line(f"error in GET /{page} HTTP/1.1: ")
    cases.wait_for_line(said)


# ---- the interpreter


def test_interpreter_is_like_python3(serve, tmp_path):
    server = serve(
        "wsgi_cases:application",
        pythonpath=["/nonexistent/one", "two"],
        env={"LC_ALL": "C", "PYTHONPATH": "/nonexistent/three"},
    )
    found = get_json(server, "show-interpreter")
    assert found["argv"] == ["cgthread"] and found["executable"] == PYTHON
    apps = server.command[server.command.index("--chdir") + 1]
    assert found["path"][:4] == [
        "/nonexistent/one",
        f"{apps}/two",
        apps,
        "/nonexistent/three",
    ]
    assert found["utf8"] == 1 and found["encoding"] == "utf-8"
    assert found["spawned"] == [3]
    assert found["main"] == "MainThread"
    assert re.fullmatch(r"cgthread-[1-4]", found["thread"])


def test_signals_are_the_servers(serve, tmp_path):
    (tmp_path / "greedy.py").write_text(
        "import signal\n"
        "for name in ('SIGTERM', 'SIGCHLD', 'SIGUSR1'):\n"
        "    signal.signal(getattr(signal, name), lambda *args: None)\n"
        "from wsgi_cases import application\n"
    )
    server = serve(
        "greedy:application", chdir=tmp_path, pythonpath=[str(HERE / "apps")]
    )
    for name in ("TERM", "CHLD", "USR1"):
        assert "[warning]" in server.wait_for_line(f"SIG{name}").string
    assert not server.errors.find(r"\[warning\].*SIG(HUP|INT|PIPE)")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize(
    "name, code, said",
    [
        ("m:application", "import sys\nsys.exit(7)\n", "SystemExit: 7"),
        ("m:application", "raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("m:a.b.c", "class a:\n    b = 1\n", 'no "c" in an object of type int'),
        ("m", "", 'no "application" in module m'),
        ("m:make()", "make = 3\n", "int, which cannot be called"),
        ("m:make()", "def make(x): pass\n", "TypeError: make.. missing"),
        ("m:make()", "def make(): pass\n", "NoneType, which cannot be called"),
        ("m:make(1)", "", r"module:factory\(\)"),
        ("m:", "", "wsgi_app"),
    ],
)
def test_unusable_application_is_explained(serve, tmp_path, name, code, said):
    (tmp_path / "m.py").write_text(code)
    server = serve(name, chdir=tmp_path, wait=False, expect_exit=None)
    assert server.wait() != 0
    assert server.errors.find(said), server.log


def test_nothing_leaks(cases):
    """Objects and memory stay as they are over many requests of every kind."""
    kinds = [
        target("result", of="one"),
        target("result", of="generator"),
        target("result", of="str"),
        target("result", of="one", headers="Content-Length:50"),
        target("head", of="value with NUL"),
        target("written", of="generator"),
        target("wrapped", of="file"),
        target("wrapped", of="memory"),
        "/reraise",
        "/calls",
        "/%41" + "/%42" * 50,
    ]

    def run(times: int) -> tuple[int, int]:
        for where in kinds * times:
            try:
                cases.get(where)
            except Closed:
                pass
        with cases.client() as client:
            for _ in range(20 * times):
                client.request("POST", "/x", [("X-A", "1")], b"x" * 3000)
        objects, kilobytes = get_json(cases, "leaks")
        return objects, kilobytes

    run(10)
    objects, kilobytes = run(2)
    objects_later, kilobytes_later = run(20)
    assert objects_later - objects < 100
    if not IS_ASAN and not IS_TSAN:  # they keep freed memory, or notes about it
        assert kilobytes_later - kilobytes < 2048
