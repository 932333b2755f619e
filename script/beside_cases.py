"""What script/beside measures: the cases, who takes part in each, and how a run goes."""
import dataclasses
import json
import shutil
import subprocess

from beside_site import (ANYWHERE, BETWEEN, BUFFER_BYTES, KERNEL, MTU_BYTES, ONE, OUTSIDE, OWN,
                         RIGHT, TWO, Placement)
from namespaces import Failed, json_lines

HANDFAST, FLOOR, LINUX = "handfast", "floor", "linux"
IPERF3, PASTA, SLIRP = "iperf3", "pasta", "slirp4netns"
PACKAGES = {IPERF3: "iperf3", PASTA: "passt", SLIRP: "slirp4netns"}  # of Debian


@dataclasses.dataclass(frozen=True)
class Case:
    """Runs that are alike but for who is measured. `run` takes a site, seconds and the peer, and
    gives a value by the end of the case's name; "" is the case itself."""
    name: str
    text: str
    unit: str
    run: callable
    peers: tuple
    placement: Placement = ANYWHERE
    more_is_better: bool = True
    parts: tuple = ("",)


def is_there(peer):
    return peer not in PACKAGES or shutil.which(peer) is not None


# ---- streams: bits a second that arrived -------------------------------------------------------


def rate(figures, bytes_):
    return {"": bytes_ * 8e9 / (figures["ended_ns"] - figures["began_ns"])}


def rate_of_stream(process):
    figures = json_lines(process.out)[-1]
    return rate(figures, figures["bytes"])


def received_by(sink, sender, seconds):
    """The sender resets the connection when its time is over, which ends the sink."""
    sender.finish(seconds + 15)
    sink.finish(15)
    return rate_of_stream(sink)


def stream_over_veth(site, seconds):
    """To a sink that reads, as all sinks that Handfast's own is compared with."""
    site.with_veth()
    sink = site.stream("right", "listen read", RIGHT, seconds + 5)
    return received_by(sink, site.stream("kernel", "connect send", RIGHT, seconds), seconds)


def iperf3_over_veth(site, seconds):
    site.with_veth()
    server = site.start([*site.inside("right"), "iperf3", "--server", "--one-off", "--forceflush"])
    server.wait_until_it_says("listening")
    client = site.start([*site.inside("kernel"), "iperf3", "--client", RIGHT, "--congestion",
                         "cubic", "--time", max(1, round(seconds)), "--json"])
    client.finish(seconds + 15)
    return {"": json.loads(client.out.read_text())["end"]["sum_received"]["bits_per_second"]}


def send_to(site, seconds, peer, sink_does):
    site.with_tun()
    sink = site.stream("kernel", f"listen {sink_does}", KERNEL, seconds + 5)
    if peer == FLOOR:
        return received_by(sink, site.floor("connect", seconds), seconds)
    with open("/dev/zero", "rb") as zeros:
        sender = site.handfast(seconds, [f"send_buffer_bytes={BUFFER_BYTES}"], zeros)
    return received_by(sink, sender, seconds)


def send(site, seconds, peer):
    return send_to(site, seconds, peer, "receive")


def send_to_reader(site, seconds, peer):
    if peer == LINUX:
        return stream_over_veth(site, seconds)
    if peer == IPERF3:
        return iperf3_over_veth(site, seconds)
    return send_to(site, seconds, peer, "read")


def receive(site, seconds, peer):
    if peer == LINUX:
        return stream_over_veth(site, seconds)
    site.with_tun()
    if peer == FLOOR:
        sink = site.floor("listen", seconds)
        source = site.stream("kernel", "connect send", OWN, seconds + 1)
    else:
        source = site.stream("kernel", "listen send", KERNEL, seconds + 1)
        settings = [f"receive_buffer_bytes={BUFFER_BYTES}", "window_scale=10"]
        sink = site.handfast(seconds, settings, subprocess.PIPE)
    sink.finish(seconds + 15)
    source.finish(seconds + 15)
    if peer == FLOOR:
        figures = json_lines(sink.out)[-1]
        return {"": figures["bytes"] * 8 / figures["seconds"]}
    figures = json_lines(sink.err)[-1]
    return rate(figures, figures["bytes_received"])


# ---- connections a second ----------------------------------------------------------------------


def rate_of_calls(process, seconds):
    process.finish(seconds + 15)
    figures = json_lines(process.out)[-1]
    if figures["failed"] > 0 or figures["connections"] == 0:
        raise Failed(f"{figures['failed']} connections failed, {figures['connections']} did not")
    return {"": figures["connections"] / figures["seconds"]}


def accept(site, seconds, peer):
    if peer == LINUX:
        site.with_veth()
        site.callee("right", RIGHT)
        return rate_of_calls(site.caller("kernel", RIGHT, seconds), seconds)
    site.with_tun()
    site.handfast_callee()
    return rate_of_calls(site.caller("kernel", OWN, seconds), seconds)


def open_(site, seconds, peer):
    if peer == LINUX:
        return accept(site, seconds, peer)
    site.with_tun()
    site.callee("kernel", KERNEL)
    return rate_of_calls(site.handfast_caller(seconds), seconds)


# ---- exchanges of a byte -----------------------------------------------------------------------


def times_of_exchanges(process, seconds):
    process.finish(seconds + 15)
    figures = json_lines(process.out)[-1]
    return {"-p50": figures["p50_us"] * 1e-6, "-p99": figures["p99_us"] * 1e-6}


def exchange(site, seconds, peer):
    if peer == LINUX:
        site.with_veth()
        site.callee("right", RIGHT)
        return times_of_exchanges(site.exchanger("kernel", RIGHT, seconds), seconds)
    site.with_tun()
    site.handfast_callee()
    return times_of_exchanges(site.exchanger("kernel", OWN, seconds), seconds)


# ---- user-mode networks ------------------------------------------------------------------------


def with_network(site, peer):
    site.with_outside()
    if peer == HANDFAST:
        site.with_handfast_inside()
    elif peer == PASTA:
        site.with_network_inside(
            "pasta", "--foreground", "--config-net", "--runas", "0", "--netns-only", "--netns",
            "NETNS", "-4", "-m", MTU_BYTES, "-t", "none", "-u", "none", "-T", "none",
            "-U", "none")
    else:
        site.with_network_inside("slirp4netns", "--configure", f"--mtu={MTU_BYTES}",
                                 "--netns-type=path", "NETNS", "tap0")


def gateway_send(site, seconds, peer):
    """What is under way in the network when the sender is done does not count."""
    with_network(site, peer)
    sink = site.stream("outside", "listen read", OUTSIDE, seconds)
    source = site.stream("inside", "connect send", OUTSIDE, seconds + 1)
    sink.finish(seconds + 15)
    source.finish(seconds + 15)
    return rate_of_stream(sink)


def gateway_receive(site, seconds, peer):
    with_network(site, peer)
    source = site.stream("outside", "listen send", OUTSIDE, seconds + 1)
    sink = site.stream("inside", "connect read", OUTSIDE, seconds)
    sink.finish(seconds + 15)
    source.finish(seconds + 15)
    return rate_of_stream(sink)


def gateway_connections(site, seconds, peer):
    with_network(site, peer)
    site.callee("outside", OUTSIDE)
    return rate_of_calls(site.caller("inside", OUTSIDE, seconds), seconds)


def gateway_exchange(site, seconds, peer):
    with_network(site, peer)
    site.callee("outside", OUTSIDE)
    return times_of_exchanges(site.exchanger("inside", OUTSIDE, seconds), seconds)


# ---- the list ----------------------------------------------------------------------------------

TIMES = ("-p50", "-p99")
OVER_TUN, NETWORKS = (HANDFAST, LINUX), (HANDFAST, PASTA, SLIRP)
CASES = [
    Case("tun-send", "one stream to a sink of Linux's that only counts", "bit/s", send,
         (HANDFAST, FLOOR)),
    Case("tun-send-read", "one stream to a sink of Linux's that reads", "bit/s", send_to_reader,
         (HANDFAST, LINUX, IPERF3)),
    Case("tun-receive", "one stream from Linux", "bit/s", receive, (HANDFAST, FLOOR, LINUX)),
    Case("tun-accept", "connections that Linux opens", "1/s", accept, OVER_TUN),
    Case("tun-open", "connections opened to Linux", "1/s", open_, OVER_TUN),
    Case("tun-exchange-1cpu", "a byte there and one back", "s", exchange, OVER_TUN, ONE, False,
         TIMES),
    Case("tun-exchange-2cpu", "a byte there and one back", "s", exchange, OVER_TUN, TWO, False,
         TIMES),
    Case("gateway-send", "one stream out", "bit/s", gateway_send, NETWORKS),
    Case("gateway-receive", "one stream in", "bit/s", gateway_receive, NETWORKS),
    Case("gateway-connections", "connections out", "1/s", gateway_connections, NETWORKS),
    Case("gateway-exchange-1cpu", "a byte there and one back", "s", gateway_exchange, NETWORKS, ONE,
         False, TIMES),
    Case("gateway-exchange-2cpu", "a byte there and one back", "s", gateway_exchange, NETWORKS,
         BETWEEN, False, TIMES),
]

# What Handfast's figure is to be of a peer's: at least so much of it, or of a time at most.
AIMS = {
    ("tun-send", FLOOR): 0.6, ("tun-receive", FLOOR): 0.6,
    ("tun-send-read", LINUX): 1.3, ("tun-receive", LINUX): 1.3,
    ("tun-accept", LINUX): 0.9, ("tun-open", LINUX): 0.9,
    ("tun-exchange-1cpu-p50", LINUX): 1.1, ("tun-exchange-2cpu-p50", LINUX): 1.1,
}
