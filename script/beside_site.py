"""Where runs of script/beside take place: namespaces with a TUN device, with the ends of a veth, or
with a way out by a user-mode network; and the programs that run in them."""
import dataclasses
import os
import subprocess
import time

from namespaces import Failed, Namespaces

PORT = 5001
PORTS = 8  # in a row, of the end that listens: as many destinations
AT_ONCE = 64  # connections that are being opened or closed
OWN, KERNEL, RIGHT, OUTSIDE = "10.78.0.2", "10.78.0.1", "10.77.0.2", "10.99.0.1"
# What is in flight has to fit into the processor's caches. With 16 MB it does not, and each byte is
# fetched from memory once more, whoever is measured: a third is lost.
BUFFER_BYTES = 2 << 20
# A sink that each packet wakes takes a third of its sender's time: see bench/stream.c.
WAKE_BYTES = 1 << 20
QUEUE_PACKETS = 10000
MTU_BYTES = 65520  # of user-mode networks
SETTINGS = f"""
set -e
ip link set lo up
cd /proc/sys/net
echo 1 > ipv6/conf/all/disable_ipv6 || true
echo 1 > ipv6/conf/default/disable_ipv6 || true
echo 1 > ipv4/tcp_no_metrics_save
echo 1024 65535 > ipv4/ip_local_port_range
echo 4096 > core/somaxconn
echo 4096 {BUFFER_BYTES} {2 * BUFFER_BYTES} > ipv4/tcp_rmem
echo 4096 16384 {2 * BUFFER_BYTES} > ipv4/tcp_wmem
"""


@dataclasses.dataclass(frozen=True)
class Placement:
    """On which processors the two ends of a connection run, and what stands between them; None:
    wherever the kernel puts them."""
    name: str
    near: frozenset = None  # the end that opens, in Linux's own TCP
    far: frozenset = None
    between: frozenset = None  # a user-mode network
    words: str = "wherever the kernel puts them"

    def is_possible(self):
        """There are as many processors."""
        return frozenset() not in (self.near, self.far, self.between)


CPUS = sorted(os.sched_getaffinity(0))
FIRST, SECOND = frozenset(CPUS[:1]), frozenset(CPUS[1:2])
ANYWHERE = Placement("any")
ONE = Placement("1cpu", FIRST, FIRST, FIRST, "all on one processor")
TWO = Placement("2cpu", FIRST, SECOND, SECOND, "the ends on two processors")
BETWEEN = Placement("2cpu", FIRST, FIRST, SECOND,
                    "both ends on one processor, the network on another")


class Site(Namespaces):
    """One run's namespaces and programs."""

    def __init__(self, build, stack, directory, placement):
        super().__init__(stack, directory)
        self.build, self.placement = build, placement
        self.network = None  # a user-mode network's process

    # ---- places ----

    def with_tun(self):
        self.make("kernel", SETTINGS + f"""
            ip tuntap add dev hft mode tun vnet_hdr
            ip link set hft txqueuelen {QUEUE_PACKETS} up
            ip addr add {KERNEL}/24 dev hft
            tc qdisc replace dev hft root pfifo limit {QUEUE_PACKETS}
        """)

    def with_veth(self):
        self.make("kernel", SETTINGS)
        self.make("right", SETTINGS)
        self.shell("kernel", "ip link add hfa type veth peer name hfb && ip link set hfb netns "
                             f"{self.holders['right']} && ip link set hfa up && "
                             f"ip addr add {KERNEL}/8 dev hfa")
        self.shell("right", f"ip link set hfb up && ip addr add {RIGHT}/8 dev hfb")

    def with_outside(self):
        """The outer end of a user-mode network: a server's address, and for networks that copy what
        the host has, an interface with a default route."""
        self.make("outside", SETTINGS + f"""
            ip addr add {OUTSIDE}/32 dev lo
            ip tuntap add dev hfo mode tap
            ip link set hfo up
            ip addr add 10.98.0.2/24 dev hfo
            ip route add default via 10.98.0.1
        """)

    def with_handfast_inside(self):
        self.network = self.start(
            [*self.inside("outside"), self.build / "handfast", "gateway", "--mtu", MTU_BYTES, "--",
             "sh", "-c", "echo inside $$; exec cat"], stdin=subprocess.PIPE,
            cpus=self.placement.between)
        self.network.wait_until_it_says("inside")
        self.holders["inside"] = int(self.network.out.read_text().split()[1])
        self.shell("inside", SETTINGS)

    def with_network_inside(self, *words):
        """A namespace that a program gives a way out; NETNS among its words is the path. Some can't
        follow a link in /proc, so it is bound to a file, in a mount namespace that ends with the
        program."""
        self.make("inside", SETTINGS)
        path = self.directory + "/netns"
        with open(path, "wb"):
            pass
        words = [path if word == "NETNS" else word for word in words]
        bind = f"mount --bind /proc/{self.holders['inside']}/ns/net {path}"
        self.network = self.start(
            [*self.inside("outside"), "unshare", "--mount", "sh", "-c", bind + ' && exec "$@"', "-",
             *words], cpus=self.placement.between)
        end = time.monotonic() + 10
        while "default" not in self.shell("inside", "ip route"):
            if self.network.popen.poll() is not None or time.monotonic() > end:
                raise Failed(f"{words[0]} gives no route: {self.network.said().strip()}")
            time.sleep(0.02)

    # ---- programs ----

    def bench(self, name, cpus, program, *words):
        return self.start([*self.inside(name), self.build / "bench" / program, *words], cpus=cpus)

    def stream(self, name, what, address, seconds):
        last = "cubic" if "send" in what else WAKE_BYTES
        end = self.placement.near if "connect" in what else self.placement.far
        process = self.bench(name, end, "stream", *what.split(), address, PORT, seconds, last)
        if "listen" in what:
            process.wait_until_it_says("ready")
        return process

    def floor(self, what, seconds):
        process = self.bench("kernel", None, "floor", what, "hft", OWN, KERNEL, PORT, seconds)
        if what == "listen":
            process.wait_until_it_says("ready")
        return process

    def handfast(self, seconds, settings, stdin):
        words = [word for setting in settings for word in ("--set", setting)]
        return self.start([*self.inside("kernel"), "sh", "-c", 'exec "$@" > /dev/null', "handfast",
                           self.build / "handfast", "connect", "--tun", "hft", "--addr",
                           f"{OWN}/24", "--no-configure", "--stats", "--duration",
                           f"{round(seconds * 1000)}ms", *words, KERNEL, PORT], stdin=stdin)

    def callee(self, name, address):
        process = self.bench(name, self.placement.far, "callee", address, PORT, PORTS)
        process.wait_until_it_says("ready")
        return process

    def handfast_callee(self):
        process = self.bench("kernel", self.placement.far, "tun_calls", "answer", "hft", OWN, PORT,
                             PORTS)
        process.wait_until_it_says("ready")
        return process

    def caller(self, name, address, seconds):
        return self.bench(name, self.placement.near, "caller", address, PORT, PORTS, AT_ONCE,
                          seconds)

    def handfast_caller(self, seconds):
        return self.bench("kernel", self.placement.near, "tun_calls", "call", "hft", OWN, KERNEL,
                          PORT, PORTS, AT_ONCE, seconds)

    def exchanger(self, name, address, seconds):
        return self.bench(name, self.placement.near, "exchanger", address, PORT, seconds)
