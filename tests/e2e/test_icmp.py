"""What the network says of a connection in passing does not end it (RFC 1122 4.2.3.9)."""

from __future__ import annotations

import socket
import struct

import pytest

from server import Client, wait_until

LOCALHOST = socket.inet_aton("127.0.0.1")
SYN_ACK = 0x12


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def with_checksum(packet: bytes, at: int) -> bytes:
    return packet[:at] + struct.pack("!H", checksum(packet)) + packet[at + 2 :]


def host_unreachable(port: int, peer_port: int, sequence: int) -> bytes:
    """As a router would answer a segment of the server's."""
    ip = with_checksum(
        struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0x4000, 64, 6, 0, LOCALHOST, LOCALHOST), 10
    )
    tcp = struct.pack("!HHI", port, peer_port, sequence)
    return with_checksum(struct.pack("!BBHI", 3, 1, 0, 0) + ip + tcp, 2)


def connect(server) -> tuple[Client, int]:
    """A client, and the number of the first byte that it will be sent."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as tap:
        tap.bind(("lo", 0x0800))
        tap.settimeout(10)
        client = server.client()
        port = client.socket.getsockname()[1]
        while True:
            packet = tap.recv(200)
            begin = (packet[0] & 15) * 4
            if packet[9] != socket.IPPROTO_TCP or len(packet) < begin + 14:
                continue
            fields = struct.unpack("!HHIIBB", packet[begin : begin + 14])
            if fields[:2] == (server.port, port) and fields[5] & SYN_ACK == SYN_ACK:
                return client, (fields[2] + 1) & 0xFFFFFFFF


def test_unreachable_host_ends_no_request_that_waits(serve, meeting):
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except PermissionError:
        pytest.skip("needs to send ICMP")
    server = serve("basic:application", workers=1, threads=1)
    with raw, server.client() as first:
        first.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        client, sequence = connect(server)
        client.send_request("GET", "/")
        client.send_request("GET", "/who")  # a reset would hide behind it
        wait_until(lambda: server.scoreboard()[0].queued == 1, "the request waits")
        port = client.socket.getsockname()[1]
        raw.sendto(host_unreachable(server.port, port, sequence), ("127.0.0.1", 0))
        # Long enough for the server to look for clients that have left.
        assert not client.closed(2.5)
        held.release()
        assert client.read_response().status == 200
        assert client.read_response().status == 200
        client.close()
