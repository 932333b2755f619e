"""What docs/PERFORMANCE.md holds Handfast against in memory: its budgets, and what others reach.

Figures of the others are quoted: they were measured once, as that page says. What is asked for over
TUN stands in beside_cases.py.
"""
import collections
import dataclasses

LWIP, SMOLTCP, GVISOR, LINUX = "lwIP", "smoltcp", "gVisor", "Linux"
OTHERS = (LWIP, SMOLTCP, GVISOR, LINUX)
BITS = 8

# A median and its range; least and most are None where there is none.
Reached = collections.namedtuple("Reached", ("value", "least", "most"), defaults=(None, None))


@dataclasses.dataclass(frozen=True)
class Budget:
    """One row. `reached` takes the figures and gives Handfast's, or None where it is missing."""
    what: str
    aim: float
    reached: callable
    others: dict = dataclasses.field(default_factory=dict)
    more_is_better: bool = False

    def holds(self, value):
        return value >= self.aim if self.more_is_better else value <= self.aim


def figure(case, kind=None):
    def reached(figures):
        line = figures.line(case, kind)
        return line and Reached(line["value"], line.get("min"), line.get("max"))
    return reached


def rate(case, of_line):
    """Per nanosecond, made of what an operation's line tells: the longest time is the least."""
    def reached(figures):
        line = figures.line(case)
        return line and Reached(*(of_line(line) / line[key] for key in ("value", "max", "min")))
    return reached


def gbit_per_s(case):
    return rate(case, lambda line: BITS * line["payload_bytes"])


def millions_a_second(case):
    return rate(case, lambda line: 1e3)


def times(case, other):
    """How often the time of an operation of one case contains that of another. By the fixed loop
    beside each: they may be of two runs, and the machine's speed drifts."""
    def reached(figures):
        lines = [figures.line(name) for name in (case, other)]
        if None in lines:
            return None
        long, short = (line["millionths_of_reference"] for line in lines)
        return Reached(long / short)
    return reached


def counted(case, part="all"):
    def reached(figures):
        count = figures.instructions(case, part)
        return None if count is None else Reached(count)
    return reached


BUDGETS = [
    Budget("open and close: instructions", 4500, counted("lifecycle"),
           {LWIP: "12 564 to 14 272"}),
    Budget("open and close: ns", 400, figure("lifecycle"),
           {LWIP: "1 002 to 1 507", SMOLTCP: "1 109", GVISOR: "54 955", LINUX: "30 900 (veth)"}),
    Budget("open and close beside 10 000 idle: times as long", 1.3,
           times("lifecycle-idle-10000", "lifecycle"),
           {LWIP: "260", SMOLTCP: "1 300", GVISOR: "1.5"}),
    Budget("open and close beside 1 000 000 idle: times as long", 2.5,
           times("lifecycle-idle-1000000", "lifecycle")),
    Budget("segment of 1460 bytes: instructions", 1900, counted("bulk"), {LWIP: "4 185"}),
    Budget("segment of 1460 bytes: instructions of the core", 700, counted("bulk", "core")),
    Budget("segment of 1460 bytes: ns", 150, figure("bulk"),
           {LWIP: "251 to 308", SMOLTCP: "308", GVISOR: "4 870"}),
    Budget("super-packets, sums vouched for: Gbit/s", 150, gbit_per_s("bulk-super"),
           {LINUX: "46.5 (loopback)"}, more_is_better=True),
    Budget("super-packets, sums in software: Gbit/s", 90, gbit_per_s("bulk-super-software"),
           more_is_better=True),
    Budget("exchange of a byte: instructions", 2000, counted("rr"), {LWIP: "4 929"}),
    Budget("exchange of a byte: ns", 200, figure("rr"),
           {LWIP: "334 to 480", SMOLTCP: "391", GVISOR: "18 850",
            LINUX: "13 700 to 16 100 (veth)"}),
    Budget("exchange of a random one of 1 000 000, 32 at once: times as long", 3,
           times("rr-of-1000000-by-32", "rr-by-32")),
    Budget("exchange of a random one of 1 000 000, one by one: times as long", 6,
           times("rr-of-1000000", "rr")),
    Budget("idle connection: bytes", 336, figure("memory", "established"),
           {LWIP: "321 to 330", SMOLTCP: "592 and buffers", GVISOR: "5 008 to 5 238",
            LINUX: "3 950"}),
    Budget("TIME-WAIT: bytes", 80, figure("memory", "time-wait"),
           {LWIP: "306", SMOLTCP: "592 and buffers", GVISOR: "5 008 to 5 238", LINUX: "436"}),
    Budget("half-open: bytes", 80, figure("memory", "half-open"),
           {LWIP: "280", SMOLTCP: "592 and buffers", LINUX: "341"}),
    Budget("flood of SYNs: millions a second", 3, millions_a_second("flood"), {LINUX: "0.19"},
           more_is_better=True),
    Budget("SYN answered by a cookie: instructions", 1000, counted("flood-cookies")),
    Budget("honest handshakes beside it: % done", 99, figure("honest", "done"),
           more_is_better=True),
    Budget("honest handshakes beside it: us that 99 % wait at most", 1000,
           figure("honest", "99 % wait at most")),
    Budget("memory that the flood adds: bytes", 0, figure("honest", "growth")),
    Budget("and allocations", 0, figure("honest", "allocations")),
]
