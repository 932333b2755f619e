"""Segments that come before a connection is: CLOSED, LISTEN, SYN-SENT, SYN-RECEIVED."""

from table.script import FAR, LISTEN, MODULUS, OPTIONS, SYNCHRONIZED, Case

ESTABLISHED = SYNCHRONIZED[0]
NO_BLOCK = "   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0"
CONNECT = "   +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)"


def peer(script, flags, length=0, ack=None):
    """A segment of the peer with the number that it begins with, before numbers are relative."""
    seq = script.isn
    tail = "" if ack is None else f" ack {ack}"
    script.send(f"{flags} {seq}:{(seq + length) % MODULUS}({length}){tail}")


def stranger_reset(script, length):
    """Answers a segment without ACK: the number acknowledged tells what came."""
    script.expect(f"R. 0:0(0) ack {(script.isn + length) % MODULUS}")


# ---- CLOSED ------------------------------------------------------------------------------------


def close_port(script):
    script.call(LISTEN)
    script.call("   +0 close(3) = 0")


def closed_reset(script):
    close_port(script)
    peer(script, "R")
    peer(script, "R.", ack=77)
    peer(script, "-", 10)
    stranger_reset(script, 10)


def closed_without_ack(script):
    close_port(script)
    peer(script, "F", 10)
    stranger_reset(script, 11)
    peer(script, "S", 10)
    script.expect("R. 0:0(0) ack 11")


def closed_ack(script):
    close_port(script)
    for flags in (".", "F.", "P."):
        peer(script, flags, 10, ack=0x80000000)
        script.expect(f"R {0x80000000}:{0x80000000}(0)")


# ---- LISTEN ------------------------------------------------------------------------------------


def answer(script, options=" <...>"):
    script.expect(f"S. 0:0(0) ack {(script.isn + 1) % MODULUS}", options)


def is_accepted(script):
    script.call("   +0 accept(3, ..., ...) = 4")
    script.is_in("ESTABLISHED")


def is_established(script):
    """And nothing came before that was not told."""
    script.is_in("ESTABLISHED")
    script.prove(ESTABLISHED)


def listen_syn(script):
    script.call(LISTEN)
    script.syn()
    answer(script)
    script.send(". 1:1(0) ack 1")
    is_accepted(script)
    is_established(script)


def listen_drops(flags):
    """Nothing comes back, and the listener goes on."""
    def run(script):
        script.call(LISTEN)
        peer(script, flags, 0 if "R" in flags else 10)
        script.syn()
        answer(script)
        script.send(". 1:1(0) ack 1")
        is_accepted(script)
        is_established(script)
    return run


def listen_ack(script):
    script.call(LISTEN)
    for flags in (".", "S.", "F."):
        peer(script, flags, ack=77)
        script.expect("R 77:77(0)")


# ---- SYN-SENT ----------------------------------------------------------------------------------


def connect(script):
    script.call("   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    script.call(NO_BLOCK)
    script.call(CONNECT)
    script.expect("S 0:0(0)", " <...>")


def be_answered(script):
    """The SYN,ACK that the peer's answer is, and the end of the open."""
    script.syn("S.", " ack 1")
    script.expect(". 1:1(0) ack 1")
    script.has_error(0, 3)
    is_established(script)


def sent_syn_ack(script):
    connect(script)
    be_answered(script)


def sent_bad_ack(script):
    connect(script)
    for ack in (0, 2, 0x80000000):
        script.send(f"R. 0:0(0) ack {ack}")
        peer(script, "S.", ack=ack)
        script.expect(f"R {ack}:{ack}(0)")
        script.is_in("SYN_SENT")
    be_answered(script)


def sent_bad_ack_alone(script):
    connect(script)
    for ack in (0, 2):
        script.send(f". 1:1(0) ack {ack}")
        script.expect(f"R {ack}:{ack}(0)")
    be_answered(script)


def sent_reset(script):
    connect(script)
    script.send("R. 0:0(0) ack 1")
    script.has_error("ECONNREFUSED", 3)
    script.send(". 1:1(0) ack 1")
    script.expect("R 1:1(0)")


def sent_drops(flags, ack=""):
    def run(script):
        connect(script)
        script.send(f"{flags} 0:0(0){ack}")
        script.is_in("SYN_SENT")
        be_answered(script)
    return run


def sent_crossing(script):
    connect(script)
    script.syn()
    answer(script)
    script.is_in("SYN_RECV")
    script.send(". 1:1(0) ack 1")
    is_established(script)


# ---- SYN-RECEIVED ------------------------------------------------------------------------------


class Passive:
    """After LISTEN: nothing shows at the sockets, until the connection is accepted."""

    name = "SYN_RECV_passive"

    def reach(self, script):
        script.call(LISTEN)
        script.syn()
        self.is_answered(script)

    def is_answered(self, script):
        version_mss = 1440 if script.v6 else 1460
        stamped = f" <mss {version_mss},sackOK,TS val 100 ecr 1000>"
        answer(script, stamped if script.stamps else " <...>")
        script.echo = 100

    def is_still(self, script):
        script.send(". 1:1(0) ack 1")
        is_accepted(script)
        is_established(script)


class Active(Passive):
    """After SYN-SENT: the SYNs crossed."""

    name = "SYN_RECV_active"

    def reach(self, script):
        connect(script)
        script.syn()
        answer(script)
        script.is_in("SYN_RECV")

    def is_still(self, script):
        script.is_in("SYN_RECV")
        script.send(". 1:1(0) ack 1")
        script.has_error(0, 3)
        is_established(script)


def challenged(packet):
    """An ACK comes back, nothing changes."""
    def stimulus(script, way):
        script.send(packet)
        script.expect(". 1:1(0) ack 1")
        way.is_still(script)
    return stimulus


def dropped(*packets):
    def stimulus(script, way):
        for packet in packets:
            script.send(packet)
        way.is_still(script)
    return stimulus


def old_stamp(script, way):
    script.value -= 500
    script.send(". 1:1(0) ack 1")
    script.value += 500
    script.expect(". 1:1(0) ack 1")
    way.is_still(script)


def no_stamp(script, way):
    script.call(NO_BLOCK)
    script.send(". 1:1(0) ack 1", "")
    script.call("   +0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)")
    way.is_still(script)


def stamp_is_kept(script, way):
    script.value = 5000
    way.is_still(script)
    script.value = 3000
    script.send("P. 1:11(10) ack 1")
    script.expect(". 1:1(0) ack 1")


def ahead(script, way):
    """The ACK establishes, the text waits for what is before it."""
    script.send("P. 101:201(100) ack 1")
    script.expect(". 1:1(0) ack 1 <nop,nop,sack 101:201>", "")
    script.send(". 1:101(100) ack 1")
    script.expect(". 1:1(0) ack 201")
    fd = 3 if way.name == Active.name else 4
    if fd == 4:
        is_accepted(script)
    script.call(f"   +0 read({fd}, ..., 1000) = 200")


def fin(script, way):
    script.send("F. 1:1(0) ack 1")
    script.expect(". 1:1(0) ack 2")
    if way.name == Passive.name:
        script.call("   +0 accept(3, ..., ...) = 4")
    script.is_in("CLOSE_WAIT")


def good_ack(script, way):
    way.is_still(script)


def bad_ack(script, way):
    for ack in (0, 2, 77):
        script.send(f". 1:1(0) ack {ack}")
        script.expect(f"R {ack}:{ack}(0)")
    way.is_still(script)


def passive_ends(flags):
    """The half-open connection is given up; the listener is not."""
    def stimulus(script, way):
        assert way.name == Passive.name
        at = (script.isn + 1) % MODULUS if "S" in flags else 1
        script.send(f"{flags} {at}:{at}(0)")
        script.send(". 1:1(0) ack 1")
        script.expect("R 1:1(0)")
    return stimulus


def active_reset(script, _):
    script.send("R 1:1(0)")
    script.has_error("ECONNREFUSED", 3)
    script.send(". 1:1(0) ack 1")
    script.expect("R 1:1(0)")


def active_syn(script, way):
    at = (script.isn + 11) % MODULUS
    script.send(f"S {at}:{at}(0)", f" {OPTIONS}")
    script.expect(". 1:1(0) ack 1")
    way.is_still(script)


def crossing_syn_ack(script, _):
    """The peer's own answer to our SYN: it lies left of the window, its ACK counts."""
    script.syn("S.", " ack 1")
    script.expect(". 1:1(0) ack 1")
    script.send(". 1:1(0) ack 1")
    script.has_error(0, 3)
    is_established(script)


BOTH, PASSIVE, ACTIVE = (Passive(), Active()), (Passive(),), (Active(),)

# state, name, rows, what happens
BEFORE = (
    ("CLOSED", "rst", "SM-CLO-1-rst, UN-03", closed_reset),
    ("CLOSED", "no-ack-flag", "SM-CLO-2-noack, SM-CLO-8-fin-early, UN-02, UN-03",
     closed_without_ack),
    ("CLOSED", "ack", "SM-CLO-3-ack, SM-CLO-8-fin-early, UN-03", closed_ack),
    ("LISTEN", "syn", "SM-LIS-3-syn, SM-SYR-5-ack-good", listen_syn),
    ("LISTEN", "rst", "SM-LIS-1-rst", listen_drops("R")),
    ("LISTEN", "ack", "SM-LIS-2-ack", listen_ack),
    ("LISTEN", "no-flags", "SM-LIS-4-other", listen_drops("-")),
    ("LISTEN", "fin", "SM-LIS-4-other, SM-LIS-8-fin-early", listen_drops("F")),
    ("SYN_SENT", "syn-ack", "SM-SYS-4-synack", sent_syn_ack),
    ("SYN_SENT", "bad-ack", "SM-SYS-1-badack, SM-SYS-1-badack-rst", sent_bad_ack),
    ("SYN_SENT", "bad-ack-without-syn", "SM-SYS-1-badack", sent_bad_ack_alone),
    ("SYN_SENT", "rst", "SM-SYS-2-rst-ok, CO-5961-01", sent_reset),
    ("SYN_SENT", "rst-without-ack", "SM-SYS-2-rst-noack, CO-5961-01", sent_drops("R")),
    ("SYN_SENT", "ack-without-syn", "SM-SYS-5-other", sent_drops(".", " ack 1")),
    ("SYN_SENT", "fin", "SM-SYS-5-other, SM-SYS-8-fin-early", sent_drops("F")),
    ("SYN_SENT", "syn", "SM-SYS-4-syn-cross, SM-SYR-5-ack-good, MUST-10", sent_crossing),
)

# name, rows, stimulus, ways, with timestamps
RECEIVED = (
    ("outside-window", "SM-SYR-1b-win", challenged(f". {FAR}:{FAR}(0) ack 1"), BOTH, False),
    ("rst-outside-window", "SM-SYR-1b-win-rst",
     dropped(f"R {FAR}:{FAR}(0)", f"R. {FAR}:{FAR}(0) ack 1"), BOTH, False),
    ("rst-in-window", "SM-SYR-2-rst-inwin", challenged("R 10:10(0)"), BOTH, False),
    ("rst-exact", "SM-SYR-2-rst-passive, MUST-11", passive_ends("R"), PASSIVE, False),
    ("rst-exact", "SM-SYR-2-rst-active, MUST-11", active_reset, ACTIVE, False),
    ("syn-inside", "SM-SYR-4-syn-passive, MUST-11", passive_ends("S"), PASSIVE, False),
    ("syn-inside", "SM-SYR-4-syn-active, MUST-11", active_syn, ACTIVE, False),
    ("syn-ack", "SM-SYR-1b-simopen, MUST-10, UN-13", crossing_syn_ack, ACTIVE, False),
    ("no-ack-flag", "SM-SYR-5-noack", dropped("- 1:11(10)", "F 1:1(0)"), BOTH, False),
    ("ack", "SM-SYR-5-ack-good", good_ack, BOTH, False),
    ("bad-ack", "SM-SYR-5-ack-bad", bad_ack, BOTH, False),
    ("gap", "SM-SYR-1b-ooo, SHLD-31", ahead, BOTH, False),
    ("fin", "SM-SYR-8-fin", fin, BOTH, False),
    ("timestamp-old", "SM-SYR-1a-paws, CO-7323-11", old_stamp, PASSIVE, True),
    ("timestamp-missing", "SM-SYR-1a-nots, CO-7323-06", no_stamp, PASSIVE, True),
    ("timestamp-newer", "SM-SYR-1b-tsrec, CO-7323-08", stamp_is_kept, PASSIVE, True),
)


def meet(way, stimulus):
    def run(script):
        way.reach(script)
        stimulus(script, way)
    return run


def cases():
    for state, name, rows, run in BEFORE:
        yield Case(state, name, rows + ", UN-01", run)
    for name, rows, stimulus, ways, stamps in RECEIVED:
        for way in ways:
            yield Case(way.name, name, rows + ", UN-01", meet(way, stimulus), stamps=stamps)
