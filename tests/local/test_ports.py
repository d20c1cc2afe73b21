import socket

from streaming_eval.local.ports import LOOPBACK, accepts, free_ports, is_free


def test_ports_are_distinct_free_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)
    with socket.socket() as outgoing:
        outgoing.bind((LOOPBACK, 0))
        assert max(ports) < outgoing.getsockname()[1]


def test_a_preferred_port_is_kept_in_its_place() -> None:
    first, second = free_ports(2)
    assert free_ports(2, [first, second]) == [first, second]
    assert free_ports(2, [first])[0] == first


def test_a_taken_port_is_replaced_and_the_others_stay() -> None:
    first, second = free_ports(2)
    with socket.create_server((LOOPBACK, first)):
        assert not is_free(first)
        assert accepts(first)
        replaced, kept = free_ports(2, [first, second])
    assert kept == second
    assert replaced not in (first, second)
    assert not accepts(first)
