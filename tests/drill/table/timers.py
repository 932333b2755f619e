"""Timers that run out, in every state that has them. Times are ranges: stacks choose their own."""

from table.openings import answer, connect
from table.script import LISTEN, SHUT, SYNCHRONIZED, Case

FIRST, SECOND = "+.15~+1.1", "+.3~+2.2"  # a timeout, and its double
STATES = {state.tag: state for state in SYNCHRONIZED}
TIMEOUT = "   +0 setsockopt({}, SOL_TCP, TCP_USER_TIMEOUT, [8000], 4) = 0"


def retransmission(script, st):
    """Twice: the second time after twice the time."""
    if st.writes:
        script.call("   +0 write(4, ..., 100) = 100")
        packet = f"P. {st.snd_nxt}:{st.snd_nxt + 100}(100) ack {st.rcv_nxt}"
        script.expect(packet)
    else:
        packet = f"F. 1:1(0) ack {st.rcv_nxt}"
    script.expect(packet, wait=FIRST)
    script.expect(packet, wait=SECOND)
    script.is_in(st.name)


def user_timeout(script, st):
    script.call(TIMEOUT.format(4))
    retransmission(script, st)
    script.lines.append("   +9 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%")
    script.has_error("ETIMEDOUT")


def user_timeout_opening(crossing):
    def run(script):
        connect(script)
        script.call(TIMEOUT.format(3))
        packet = "S 0:0(0)"
        if crossing:
            script.syn()
            answer(script)
            packet = f"S. 0:0(0) ack {script.isn + 1}"
        script.expect(packet, " <...>", wait="+.9~+1.1")
        script.lines.append("   +9 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%")
        script.has_error("ETIMEDOUT", 3)
    return run


def shut_behind_a_closed_window(script, tag):
    """Data waits before a window of 0, in FW1, CLG and LAK the FIN behind it."""
    r = 2 if tag in ("CLW", "LAK") else 1
    script.establish()
    if r == 2:
        script.send("F. 1:1(0) ack 1")
        script.expect(". 1:1(0) ack 2")
    script.send(f". {r}:{r}(0) ack 1 win 0")
    script.call("   +0 write(4, ..., 1000) = 1000")
    if tag in ("FW1", "LAK", "CLG"):
        script.call(SHUT)
    if tag == "CLG":
        script.send("F. 1:1(0) ack 1 win 0")
        script.expect(". 1:1(0) ack 2")
        r = 2
    script.is_in(STATES[tag].name)
    return r


def persist(tag):
    """Probes with growing pauses, for as long as they are answered."""
    def run(script):
        r = shut_behind_a_closed_window(script, tag)
        for wait in ("+.1~+1.1", "+.2~+2.3", "+.4~+4.5"):
            script.expect(f". 0:0(0) ack {r}", wait=wait)
            script.send(f". {r}:{r}(0) ack 1 win 0")
        script.is_in(STATES[tag].name)
        script.send(f". {r}:{r}(0) ack 1")
        flags = "FP." if tag in ("FW1", "LAK", "CLG") else "P."
        script.expect(f"{flags} 1:1001(1000) ack {r}")
    return run


def small_window(tag):
    """A segment that the window cuts short waits, and leaves all the same."""
    def run(script):
        r = 2 if tag == "CLW" else 1
        script.reach(STATES["CLW" if tag == "CLW" else "EST"])
        script.send(f". {r}:{r}(0) ack 1 win 100")
        script.call("   +0 write(4, ..., 1000) = 1000")
        if tag == "FW1":
            script.call(SHUT)
        script.is_in(STATES[tag].name)
        script.expect(f". 1:101(100) ack {r}", wait="+.1~+1.0")
    return run


def delayed_ack(script, st):
    r = st.rcv_nxt
    script.send(f"P. {r}:{r + 100}(100) ack {st.snd_una}")
    script.expect(f". {st.snd_nxt}:{st.snd_nxt}(0) ack {r + 100}", wait="+0~+.49")


def keep_alive(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0")
    for option, value in (("IDLE", 5), ("INTVL", 2), ("CNT", 3)):
        script.call(f"   +0 setsockopt(4, SOL_TCP, TCP_KEEP{option}, [{value}], 4) = 0")
    script.expect(f". {s - 1}:{s - 1}(0) ack {r}", wait="+5")
    script.send(f". {r}:{r}(0) ack {s}")
    for wait in ("+5", "+2", "+2"):
        script.expect(f". {s - 1}:{s - 1}(0) ack {r}", wait=wait)
    script.lines.append(" +2.1 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%")
    script.has_error("ETIMEDOUT")


def over_after_2msl(script, st):
    """A minute by default; two more are beyond every stack's time."""
    script.send("F. 1:1(0) ack 2", wait="+50")
    script.ack(st)
    script.send("F. 1:1(0) ack 2", wait="+241")
    script.expect("R 2:2(0)")


def meet(state, stimulus):
    def run(script):
        script.reach(state)
        stimulus(script, state)
    return run


def lost_syn_ack(script):
    script.call(LISTEN)
    script.syn()
    answer(script)
    packet = f"S. 0:0(0) ack {script.isn + 1}"
    script.expect(packet, " <...>", wait="+.9~+1.1")
    script.expect(packet, " <...>", wait="+1.9~+2.2")


NO_PROBE = "net.ipv4.tcp_early_retrans=0"  # it would come ahead of the first timeout
# row, name, stimulus, states, setting
TIMERS = (
    ("RTO", "retransmission", retransmission, ("EST", "FW1", "CLW", "CLG", "LAK"), NO_PROBE),
    ("USER-TIMEOUT", "user-timeout", user_timeout, ("EST", "FW1", "CLW", "CLG", "LAK"), NO_PROBE),
    ("DELACK", "delayed-ack", delayed_ack, ("EST", "FW1", "FW2"), None),
    ("KEEPALIVE", "keep-alive", keep_alive, ("EST", "FW2", "CLW"), None),
    ("TIME-WAIT", "2msl", over_after_2msl, ("TMW",), None),
)


def cases():
    yield Case("SYN_RECV_passive", "timer-retransmission", "TMO-RTO-SYR", lost_syn_ack,
               every_isn=False)
    for row, name, crossing in (("SYS", "SYN_SENT", False), ("SYR", "SYN_RECV_active", True)):
        yield Case(name, "timer-user-timeout", f"TMO-USER-TIMEOUT-{row}",
                   user_timeout_opening(crossing), every_isn=False)
    for tag in ("EST", "FW1", "CLW", "CLG", "LAK"):
        yield Case(STATES[tag].name, "timer-persist",
                   f"TMO-PERSIST-{tag}, MUST-36, MUST-37, SHLD-29, SHLD-30", persist(tag),
                   every_isn=False, note="probes without data: D-12")
    for tag in ("EST", "FW1", "CLW"):
        yield Case(STATES[tag].name, "timer-small-window", f"TMO-SWS-OVERRIDE-{tag}, MUST-38",
                   small_window(tag), every_isn=False)
    for timer, name, stimulus, states, setting in TIMERS:
        for tag in states:
            yield Case(STATES[tag].name, f"timer-{name}", f"TMO-{timer}-{tag}",
                       meet(STATES[tag], stimulus), every_isn=False, setting=setting)
