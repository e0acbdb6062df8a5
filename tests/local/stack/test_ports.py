"""Ports: free ones are found, and who holds a taken one is said."""

from __future__ import annotations

import os
import socket

import pytest

from local.stack.ports import FIRST, LAST, PortTakenError, free_ports, holder_of, is_free, require_free


@pytest.fixture
def taken():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_free_ports_are_different_and_below_those_of_outgoing_connections():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(FIRST <= port < LAST and is_free(port) for port in ports)


def test_the_holder_of_a_port_is_its_process_with_its_command_line(taken):
    holder = holder_of(taken)
    assert holder is not None
    assert holder.pid == os.getpid()
    assert "pytest" in holder.command


def test_nobody_holds_a_free_port():
    assert holder_of(free_ports(1)[0]) is None


def test_a_taken_port_is_refused_with_the_name_of_who_holds_it(taken):
    with pytest.raises(
        PortTakenError, match=rf"port {taken}, wanted for tea, is taken by process {os.getpid()} \(.+\)"
    ):
        require_free(taken, "tea", "Drink water.")
