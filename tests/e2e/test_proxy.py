"""Behind a proxy: whom it speaks for, and that nobody else speaks for anybody."""

from __future__ import annotations

import json
import socket
import struct

import pytest
from server import PATIENCE, Client, has_ipv6

ALL = "forwarded,x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port,x-forwarded-prefix"
NOBODY = "192.0.2.0/24"
V2 = b"\r\n\r\n\0\r\nQUIT\n"
FORWARDED_KEYS = {
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_REAL_IP",
}
SPOOF = [
    ("Forwarded", "for=203.0.113.9;proto=https;host=evil"),
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("x-forwarded-host", "evil"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Server", "evil"),
    ("X-Real-IP", "203.0.113.9"),
]


def environ(client, headers=(), target="/environ", **kwargs):
    response = client.request("GET", target, headers, **kwargs)
    assert response.status == 200, response
    return json.loads(response.body)


def status(client, *headers, target="/environ"):
    return client.request("GET", target, headers).status


@pytest.fixture
def trusting(serve):
    """A server, one thread, that believes its peer all there is to say."""
    return serve("basic", threads=1, forwarded_headers=ALL, remote_addr_from="forwarded")


# ---- who is trusted


def test_nothing_counts_by_default_but_a_local_proxy_is_heard(serve):
    server = serve("basic")
    with server.client() as client:
        got = environ(client, SPOOF)
    assert got["REMOTE_ADDR"] == "127.0.0.1"
    assert got["wsgi.url_scheme"] == "http" and got["SCRIPT_NAME"] == ""
    assert got["HTTP_HOST"] == "test" and got["SERVER_PORT"] == str(server.port)
    # Whether to believe it is the application's own choice then.
    assert FORWARDED_KEYS <= got.keys()


def test_untrusted_fields_neither_count_nor_arrive(serve):
    server = serve(
        "basic",
        forwarded_allow_ips=NOBODY,
        forwarded_headers=ALL,
        remote_addr_from="forwarded",
    )
    with server.client() as client:
        got = environ(client, SPOOF)
    assert got["REMOTE_ADDR"] == "127.0.0.1"
    assert got["wsgi.url_scheme"] == "http" and got["SCRIPT_NAME"] == ""
    assert got["HTTP_HOST"] == "test"
    assert not FORWARDED_KEYS & got.keys()


def test_untrusted_fields_arrive_if_asked(serve):
    server = serve("basic", forwarded_allow_ips=NOBODY, clear_untrusted="off")
    with server.client() as client:
        assert FORWARDED_KEYS <= environ(client, SPOOF).keys()


def test_of_a_trusted_peer_fields_that_it_does_not_set_do_not_arrive(serve):
    server = serve("basic", forwarded_headers=["x-forwarded-for, X-Forwarded-Proto"])
    with server.client() as client:
        got = environ(client, SPOOF)
    assert got["wsgi.url_scheme"] == "https" and got["HTTP_HOST"] == "test"
    assert got["REMOTE_ADDR"] == "127.0.0.1"  # not asked for
    assert FORWARDED_KEYS & got.keys() == {
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_SERVER",
        "HTTP_X_REAL_IP",
    }


def test_empty_list_trusts_nobody(serve):
    server = serve("basic", forwarded_allow_ips="", forwarded_headers=ALL)
    with server.client() as client:
        assert environ(client, SPOOF)["wsgi.url_scheme"] == "http"


def test_log_tells_of_untrusted_fields_once(serve):
    server = serve("basic", forwarded_allow_ips=NOBODY, log_untrusted="on")
    with server.client() as client:
        environ(client)
        assert not server.errors.find("do not count")
        for _ in range(3):
            environ(client, [("X-Forwarded-For", "1.2.3.4")])
    server.wait_for_line(r"127\.0\.0\.1: forwarded headers do not count")
    assert len(server.errors.find("do not count")) == 1


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6_peer_is_trusted_by_its_own_network(serve):
    server = serve(
        "basic",
        bind=["[::1]:0", "127.0.0.1:0"],
        forwarded_allow_ips="::1",
        forwarded_headers=ALL,
        remote_addr_from="forwarded",
    )
    ports = [int(url.rsplit(":", 1)[1]) for url in server.urls]
    with Client(("::1", ports[0])) as client:
        got = environ(client, [("X-Forwarded-For", "2001:db8::7")])
        assert got["REMOTE_ADDR"] == "2001:db8::7" and "REMOTE_PORT" not in got
        assert environ(client)["REMOTE_ADDR"] == "::1"
    with Client(("127.0.0.1", ports[1])) as client:
        assert environ(client, SPOOF)["REMOTE_ADDR"] == "127.0.0.1"


def test_unix_peer_is_trusted_as_unix(serve, tmp_path):
    path = tmp_path / "s"
    server = serve(
        "basic", bind=[f"unix:{path}"], forwarded_headers=ALL, remote_addr_from="forwarded"
    )
    with Client(path) as client:
        got = environ(client, [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")])
        assert got["REMOTE_ADDR"] == "203.0.113.9"
        assert got["SERVER_NAME"] == "test" and got["SERVER_PORT"] == "443"
        got = environ(client)
        assert got["REMOTE_ADDR"] == "" and got["SERVER_PORT"] == "80"
    server.terminate()
    assert any(line.startswith("203.0.113.9 ") for line in server.access_log)


def test_unix_peer_is_not_trusted_by_addresses(serve, tmp_path):
    path = tmp_path / "s"
    serve(
        "basic",
        bind=[f"unix:{path}"],
        forwarded_allow_ips="0.0.0.0/0",
        forwarded_headers=ALL,
        server_name="shop.example",
        url_scheme="https",
    )
    with Client(path) as client:
        got = environ(client, SPOOF)
        assert got["HTTP_HOST"] == "test" and got["SCRIPT_NAME"] == ""
        got = environ(client, version="HTTP/1.0")
        assert got["SERVER_NAME"] == "shop.example" and got["SERVER_PORT"] == "443"
        assert got["wsgi.url_scheme"] == "https"


# ---- what they say


def test_all_that_a_proxy_says_is_in_the_environ(trusting):
    with trusting.client() as client:
        got = environ(
            client,
            [
                ("X-Forwarded-For", "203.0.113.9:4711"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "www.example.org"),
                ("X-Forwarded-Port", "8443"),
                ("X-Forwarded-Prefix", "/shop/"),
            ],
            target="/environ?a",
        )
    assert (got["REMOTE_ADDR"], got["REMOTE_PORT"]) == ("203.0.113.9", "4711")
    assert got["wsgi.url_scheme"] == "https"
    assert got["HTTP_HOST"] == "www.example.org:8443"
    assert (got["SERVER_NAME"], got["SERVER_PORT"]) == ("www.example.org", "8443")
    assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("/shop", "/environ")
    assert got["RAW_URI"] == "/environ?a"
    trusting.terminate()
    assert trusting.access_log[0].startswith("203.0.113.9 - - [")


def test_forwarded_says_the_same(trusting):
    with trusting.client() as client:
        got = environ(
            client,
            [("Forwarded", 'For="[2001:db8::7]:4711";Proto=HTTPS; host="www.example.org:8443"')],
        )
    assert (got["REMOTE_ADDR"], got["REMOTE_PORT"]) == ("2001:db8::7", "4711")
    assert got["wsgi.url_scheme"] == "https"
    assert got["HTTP_HOST"] == "www.example.org:8443"


def test_nothing_of_one_request_is_left_for_the_next(trusting):
    """One thread, one connection: what its last environ had is not kept."""
    told = [
        ("X-Forwarded-For", "203.0.113.9:4711"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "www.example.org"),
        ("X-Forwarded-Prefix", "/shop"),
    ]
    with trusting.client() as client:
        port = client.socket.getsockname()[1]
        for _ in range(3):
            assert environ(client, told)["SCRIPT_NAME"] == "/shop"
            got = environ(client)
            assert (got["REMOTE_ADDR"], got["REMOTE_PORT"]) == ("127.0.0.1", str(port))
            assert got["wsgi.url_scheme"] == "http" and got["SCRIPT_NAME"] == ""
            assert got["HTTP_HOST"] == "test"
            assert got["SERVER_NAME"] == "127.0.0.1"
            assert got["SERVER_PORT"] == str(trusting.port)
            got = environ(client, [("X-Forwarded-For", "unknown")])
            assert got["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in got
            got = environ(client, [("X-Forwarded-For", "203.0.113.9:0")])
            assert got["REMOTE_ADDR"] == "203.0.113.9" and "REMOTE_PORT" not in got


@pytest.mark.parametrize(
    "host, headers, want",
    [
        ("a:8000", {"proto": "https"}, ("a:8000", "8000")),
        ("a", {"proto": "https"}, ("a", "443")),
        ("a:0", {"proto": "https"}, ("a:0", "443")),
        ("a:65536", {"proto": "https"}, ("a:65536", "443")),
        ("a:00081", {"proto": "https"}, ("a:00081", "81")),
        ("a:8000", {"proto": "https", "port": "443"}, ("a", "443")),
        ("a", {"port": "8000"}, ("a:8000", "8000")),
        ("a", {"host": "b:443", "proto": "https"}, ("b", "443")),
        ("a", {"host": "b:443"}, ("b:443", "443")),
        ("a", {"host": "[::1]:8"}, ("[::1]:8", "8")),
    ],
)
def test_port_is_what_the_client_has_asked(trusting, host, headers, want):
    fields = [("Host", host)] + [(f"X-Forwarded-{k}", v) for k, v in headers.items()]
    with trusting.client() as client:
        got = environ(client, fields)
    assert (got["HTTP_HOST"], got["SERVER_PORT"]) == want


def test_hops_are_counted_from_the_right_over_all_lines(serve):
    server = serve(
        "basic", forwarded_headers=ALL, forwarded_hops=2, remote_addr_from="forwarded"
    )
    with server.client() as client:
        for lines, want in [
            (["1.1.1.1, 2.2.2.2, 3.3.3.3"], "2.2.2.2"),
            (["1.1.1.1", "2.2.2.2", "3.3.3.3"], "2.2.2.2"),
            (["garbage\x80, 2.2.2.2 ,, 3.3.3.3,"], "2.2.2.2"),
            (["3.3.3.3"], "3.3.3.3"),
        ]:
            got = environ(client, [("X-Forwarded-For", line) for line in lines])
            assert got["REMOTE_ADDR"] == want, lines
        # The outer proxy had TLS, and the inner one plain HTTP from it.
        got = environ(client, [("X-Forwarded-Proto", "https, http")])
        assert got["wsgi.url_scheme"] == "https"
        got = environ(
            client,
            [("Forwarded", "for=1.1.1.1;host=evil, for=2.2.2.2;proto=https, for=3.3.3.3")],
        )
        assert (got["REMOTE_ADDR"], got["wsgi.url_scheme"]) == ("2.2.2.2", "https")
        assert got["HTTP_HOST"] == "test"


@pytest.mark.parametrize(
    "headers, why",
    [
        ([("X-Forwarded-Proto", "https, http")], "about the scheme"),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], "about the scheme"),
        ([("X-Forwarded-Proto", "https"), ("Forwarded", "proto=http")], "about the scheme"),
        ([("X-Forwarded-Proto", "ftp")], "neither http nor https"),
        ([("X-Forwarded-Host", "a"), ("Forwarded", "host=b")], "about the host"),
        ([("X-Forwarded-Host", "a, b")], "about the host"),
        ([("X-Forwarded-Host", "a b")], "malformed forwarded host"),
        ([("X-Forwarded-Host", "a:80"), ("X-Forwarded-Port", "81")], "about the port"),
        ([("X-Forwarded-Port", "0")], "malformed X-Forwarded-Port"),
        ([("X-Forwarded-For", "1.1.1.1"), ("Forwarded", "for=1.1.1.2")], "about the client"),
        ([("X-Forwarded-For", "1.1.1.1, evil")], "malformed X-Forwarded-For"),
        ([("X-Forwarded-Prefix", "//evil")], "malformed prefix"),
        ([("Forwarded", 'for="'), ("Forwarded", "for=1.1.1.1")], "malformed Forwarded"),
        ([("Forwarded", "for=::1")], "malformed Forwarded"),
        ([("Forwarded", 'for="::1"')], "malformed node"),
    ],
)
def test_contradictions_are_refused_and_nothing_behind_is_answered(trusting, headers, why):
    with trusting.client() as client:
        client.send_request("GET", "/environ", headers)
        client.send_request("GET", "/environ")
        response = client.read_response()
        assert response.status == 400 and response.closes
        assert client.closed()
    trusting.wait_for_line(rf"127\.0\.0\.1: 400 Bad Request: .*{why}")


def test_secure_scheme_headers_mean_https_and_must_agree(serve):
    server = serve(
        "basic",
        forwarded_headers="x-forwarded-proto",
        secure_scheme_headers=["X-Forwarded-Ssl=on", "X-Scheme=https, X-Forwarded-Protocol=ssl"],
    )
    with server.client() as client:
        for header, scheme in [
            (("X-Forwarded-SSL", "ON"), "https"),
            (("X-Forwarded-Ssl", "off"), "http"),
            (("x-scheme", "https"), "https"),
            (("X-Forwarded-Protocol", "ssl"), "https"),
        ]:
            assert environ(client, [header])["wsgi.url_scheme"] == scheme
    for other in [("X-Scheme", "http"), ("X-Forwarded-Ssl", "off"), ("X-Forwarded-Proto", "http")]:
        with server.client() as client:
            assert status(client, ("X-Forwarded-Ssl", "on"), other) == 400


# ---- where the site is


def test_url_prefix_is_taken_from_the_path_unless_the_proxy_has(serve):
    server = serve("basic", url_prefix="/my/app")
    with server.client() as client:
        for target, path in [
            ("/my/app/environ", "/environ"),
            ("/my/%61pp/environ?q", "/environ"),
            ("/my/app%2fenviron", "/environ"),
            ("/environ", "/environ"),
            ("http://x/my/app/environ", "/environ"),
        ]:
            got = environ(client, target=target)
            assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("/my/app", path)
            assert got["RAW_URI"] == target
        # No application page has these paths.
        for target in ["/my/app", "/my/apple/environ", "/my/app/my/app/environ"]:
            assert client.request("GET", target).status == 404


def test_script_name_of_a_trusted_proxy_must_begin_the_path(serve):
    server = serve("basic", forwarder_headers="SCRIPT_NAME, REMOTE_USER", url_prefix="/other")
    with server.client() as client:
        got = environ(
            client, [("script_name", "/app"), ("REMOTE_USER", "ada")], target="/app/environ"
        )
        assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("/app", "/environ")
        assert got["HTTP_REMOTE_USER"] == "ada" and "HTTP_SCRIPT_NAME" not in got
        assert environ(client)["SCRIPT_NAME"] == "/other"
    for headers in [
        [("SCRIPT_NAME", "/app")],
        [("SCRIPT_NAME", "app")],
        [("SCRIPT_NAME", ""), ("script_name", "")],
        [("REMOTE_USER", "ada"), ("Remote_User", "eve")],
    ]:
        with server.client() as client:
            assert status(client, *headers) == 400, headers


def test_underscores_are_dropped_in_all_spellings(serve):
    server = serve("basic", forwarder_headers="REMOTE_USER")
    with server.client() as client:
        got = environ(client, [("Remote-User", "eve"), ("X_Forwarded_For", "1.1.1.1")])
        assert "HTTP_REMOTE_USER" not in got and "HTTP_X_FORWARDED_FOR" not in got
    server = serve("basic", forwarder_headers="REMOTE_USER", forwarded_allow_ips=NOBODY)
    with server.client() as client:
        assert "HTTP_REMOTE_USER" not in environ(client, [("REMOTE_USER", "eve")])


def test_header_map_refuses_underscores(serve):
    server = serve("basic", forwarder_headers="REMOTE_USER", header_map="refuse")
    with server.client() as client:
        assert environ(client, [("REMOTE_USER", "ada")])["HTTP_REMOTE_USER"] == "ada"
        assert status(client, ("X_A", "b")) == 400
    server.wait_for_line("400 Bad Request: field name with an underscore")


# ---- the PROXY protocol


def v1(source="203.0.113.9", port=4711, family="TCP4", to="192.0.2.1"):
    return f"PROXY {family} {source} {to} {port} 80\r\n".encode()


def v2(family=0x11, block=None, command=0x21, tlvs=b""):
    if block is None:
        block = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1")
        block += struct.pack("!HH", 4711, 80)
    block += tlvs
    return V2 + struct.pack("!BBH", command, family, len(block)) + block


V2_IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack("!HH", 4711, 80)
)
REQUEST = b"GET /environ HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "mode, header, peer",
    [
        ("v1", v1(), ("203.0.113.9", "4711")),
        ("auto", v1("2001:db8::7", 1, "TCP6", "::1"), ("2001:db8::7", "1")),
        ("v2", v2(), ("203.0.113.9", "4711")),
        ("auto", v2(0x21, V2_IPV6, tlvs=b"\x04\0\3abc"), ("2001:db8::7", "4711")),
        ("v2", v2(0x31, b"/s".ljust(216, b"\0")), ("", None)),
        ("v2", v2(tlvs=bytes(60000)), ("203.0.113.9", "4711")),
    ],
    ids=["v1", "v1-ipv6", "v2", "v2-ipv6", "v2-unix", "v2-long"],
)
def test_proxy_header_names_the_client_of_all_requests(serve, mode, header, peer):
    server = serve("basic", proxy_protocol=mode, threads=1)
    # All in one piece, pipelined; then byte by byte, where that ends in time.
    for step in [len(header) + len(REQUEST) * 2] + [1] * (len(header) < 999):
        with server.client() as client:
            data = header + REQUEST + REQUEST
            for i in range(0, len(data), step):
                client.send(data[i : i + step])
            for _ in range(2):
                got = json.loads(client.read_response().body)
                assert (got["REMOTE_ADDR"], got.get("REMOTE_PORT")) == peer
            assert environ(client)["REMOTE_ADDR"] == peer[0]  # kept alive
    server.terminate()
    lines = server.access_log
    assert lines and all(line.startswith(f"{peer[0] or '-'} ") for line in lines)


@pytest.mark.parametrize(
    "header",
    [v2(0, b"", 0x20), b"PROXY UNKNOWN a b\r\n", b""],
    ids=["local", "unknown", "none"],
)
def test_proxy_that_speaks_for_itself_is_the_client(serve, header):
    server = serve("basic", proxy_protocol="auto")
    with server.client() as client:
        client.send(header + REQUEST)
        got = json.loads(client.read_response().body)
        assert got["REMOTE_ADDR"] == "127.0.0.1"
        assert got["REMOTE_PORT"] == str(client.socket.getsockname()[1])


@pytest.mark.parametrize(
    "mode, data, why",
    [
        ("v1", REQUEST, "no PROXY header"),
        ("v2", REQUEST, "no PROXY header"),
        ("v1", v2(), "no PROXY header"),
        ("v2", v1(), "no PROXY header"),
        ("auto", v1("1.2.3.4.5"), "malformed PROXY line"),
        ("auto", v1()[:-2] + b"\n", "malformed PROXY line"),
        ("v1", b"PROXY " + b"x" * 200, "PROXY line over 107 bytes"),
        ("v2", v2(command=0x31), "no known version"),
        ("v2", v2(family=0x51), "unknown family"),
        ("v2", v2(block=b"1234"), "too short"),
    ],
    ids=range(10),
)
def test_what_is_no_proxy_header_closes_the_connection(serve, mode, data, why):
    server = serve("basic", proxy_protocol=mode)
    with server.client() as client:
        client.send(data)
        assert client.closed()
    server.wait_for_line(rf"127\.0\.0\.1: connection refused: .*{why}")
    server.terminate()
    assert not server.access_log  # nobody has asked for anything


@pytest.mark.parametrize("header", [v1(), v2(), v2()[:14]], ids=["v1", "v2", "part"])
def test_proxy_header_of_a_stranger_closes_the_connection(serve, header):
    server = serve("basic", proxy_protocol="auto", proxy_allow_ips=NOBODY)
    with server.client() as client:
        client.send(header + (REQUEST if len(header) > 14 else b""))
        assert client.closed(PATIENCE / 2)  # header_timeout is longer
    server.wait_for_line("connection refused: PROXY header, but proxy_allow_ips")
    with server.client() as client:
        assert environ(client)["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("mode, header", [("v1", v2()), ("v2", v1())], ids=["v1", "v2"])
def test_header_of_the_other_version_is_a_bad_request_of_a_stranger(serve, mode, header):
    server = serve("basic", proxy_protocol=mode, proxy_allow_ips=NOBODY)
    with server.client() as client:
        client.send(header + REQUEST)
        assert client.read_response().status == 400
        assert client.closed()


def test_proxy_header_counts_once(serve):
    """Behind the first request it is no PROXY header any more."""
    server = serve("basic", proxy_protocol="v1")
    with server.client() as client:
        client.send(v1() + REQUEST + v1("1.1.1.1") + REQUEST)
        assert client.read_response().status == 200
        assert client.read_response().status == 400
        assert client.closed()


def test_fields_are_trusted_by_the_address_in_the_proxy_header(serve):
    """A proxy that knows no HTTP vouches for no fields: a client wrote them."""
    server = serve(
        "basic",
        proxy_protocol="v1",
        forwarded_allow_ips="127.0.0.1, 198.51.100.0/24",
        forwarded_headers="x-forwarded-for",
        remote_addr_from="forwarded",
    )
    request = REQUEST.replace(b"Host", b"X-Forwarded-For: 1.1.1.1\r\nHost")
    for source, want in [("203.0.113.9", "203.0.113.9"), ("198.51.100.1", "1.1.1.1")]:
        with server.client() as client:
            client.send(v1(source) + request)
            got = json.loads(client.read_response().body)
            assert got["REMOTE_ADDR"] == want


NO_TCP_CLIENT = {
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2-unspec": (v2(0, b""), "127.0.0.1"),
    "v2-udp": (v2(0x12), "127.0.0.1"),
    "v2-unix": (v2(0x31, b"/s".ljust(216, b"\0")), ""),
    "v2-unix-datagrams": (v2(0x32, b"/s".ljust(216, b"\0")), "127.0.0.1"),
}


@pytest.mark.parametrize("name", NO_TCP_CLIENT)
def test_client_without_an_address_is_not_trusted_for_its_proxy(serve, name):
    """Neither as the proxy nor as the `unix` of the default: who can reach such a
    proxy writes what fields he likes."""
    header, address = NO_TCP_CLIENT[name]
    server = serve(
        "basic",
        proxy_protocol="auto",
        forwarded_headers=ALL,
        forwarder_headers="REMOTE_USER",
        remote_addr_from="forwarded",
        log_untrusted="on",
    )
    fields = b"".join(f"{k}: {v}\r\n".encode() for k, v in SPOOF)
    request = REQUEST.replace(b"Host", fields + b"REMOTE_USER: ada\r\nHost")
    with server.client() as client:
        client.send(header + request)
        client.send(request)  # nor any later one
        for _ in range(2):
            got = json.loads(client.read_response().body)
            assert got["REMOTE_ADDR"] == address and got["HTTP_HOST"] == "a"
            assert got["wsgi.url_scheme"] == "http" and got["SCRIPT_NAME"] == ""
            assert not {"HTTP_REMOTE_USER", *FORWARDED_KEYS} & got.keys()
    server.wait_for_line("do not count: the PROXY header names no client")


def test_proxy_that_speaks_for_itself_is_trusted_as_itself(serve):
    server = serve(
        "basic", proxy_protocol="v2", forwarded_headers=ALL, remote_addr_from="forwarded"
    )
    request = REQUEST.replace(b"Host", b"X-Forwarded-For: 1.1.1.1\r\nHost")
    with server.client() as client:
        client.send(v2(0, b"", 0x20) + request)
        assert json.loads(client.read_response().body)["REMOTE_ADDR"] == "1.1.1.1"


@pytest.mark.parametrize("data", [b"", b"PROXY TCP4 1."], ids=["none", "part"])
def test_header_timeout_bounds_the_proxy_header(serve, data):
    server = serve("basic", proxy_protocol="v1", header_timeout="300ms")
    with server.client() as client:
        client.send(data)
        assert client.closed(12)  # the default would be 15 s
    if data:
        server.wait_for_line("connection refused: header_timeout")


def test_unix_listener_takes_the_proxy_header(serve, tmp_path):
    path = tmp_path / "s"
    serve("basic", bind=[f"unix:{path}"], proxy_protocol="v2")
    with Client(path) as client:
        client.send(v2() + REQUEST)
        assert json.loads(client.read_response().body)["REMOTE_ADDR"] == "203.0.113.9"


def test_settings_that_make_no_sense_together_are_an_error(serve):
    server = serve("basic", remote_addr_from="forwarded", wait=False, expect_exit=2)
    server.wait_for_line("remote_addr_from: forwarded, but forwarded_headers has neither")
    assert server.wait() == 2
