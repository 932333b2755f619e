"""What the application calls, in every state, and what comes of it."""

from table.openings import connect, is_established
from table.script import SYNCHRONIZED, Case

EPIPE = "EPIPE (Broken pipe)"
BLOCK = "   +0 fcntl(3, F_SETFL, O_RDWR) = 0"


def open_again(script, st):
    """A socket has one connection. The call stands last: it would begin a new flow."""
    script.call("   +0 connect(4, ..., ...) = -1 EISCONN (Transport endpoint is already connected)")
    script.is_in(st.name)


def send(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 write(4, ..., 100) = 100")
    script.expect(f"P. {s}:{s + 100}(100) ack {r}")
    script.send(f". {r}:{r}(0) ack {s + 100}")
    script.call("   +0 send(4, ..., 10, MSG_OOB) = 10")
    script.expect(f"PU. {s + 100}:{s + 110}(10) ack {r} urg 10")
    script.is_in(st.name)


def send_too_late(script, st):
    script.call(f"   +0 write(4, ..., 100) = -1 {EPIPE}")
    script.is_in(st.name)
    script.prove(st)


def receive(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)")
    script.send(f"P. {r}:{r + 100}(100) ack {st.snd_una}")
    script.expect(f". {s}:{s}(0) ack {r + 100}", wait="+0~+.3")
    script.call("   +0 read(4, ..., 1000) = 100")
    script.is_in(st.name)


def receive_the_end(script, st):
    script.call("   +0 read(4, ..., 100) = 0")
    script.call("   +0 read(4, ..., 100) = 0")
    script.is_in(st.name)
    script.prove(st)


def close_with_fin(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 close(4) = 0")
    script.expect(f"F. {s}:{s}(0) ack {r}")
    script.send(f". {r}:{r}(0) ack {s + 1}")
    if st.reads:
        script.send(f"F. {r}:{r}(0) ack {s + 1}")
        script.ack(st, snd_nxt=s + 1, rcv_nxt=r + 1)
    else:
        script.send(f". {r}:{r}(0) ack {s + 1}")
        script.expect(f"R {s + 1}:{s + 1}(0)")


def close_again(script, st):
    """No second FIN, and the release goes on."""
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 close(4) = 0")
    if st.reads:
        script.send(f"F. {r}:{r}(0) ack {s}")
        script.ack(st, rcv_nxt=r + 1)
    elif st.tag == "LAK":
        script.send(f". {r}:{r}(0) ack {s}")
        script.is_gone(st)
    else:
        script.send(f"F. {r - 1}:{r - 1}(0) ack {s}")
        script.ack_of_a_copy(st)


def abort(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0")
    script.call("   +0 close(4) = 0")
    if st.tag in ("EST", "FW1", "FW2", "CLW"):
        script.expect(f"R. {s}:{s}(0) ack {r}")
    script.is_gone(st)


def status(script, st):
    script.is_told(st.name)
    script.has_error(0)
    script.is_told(st.name)
    script.prove(st)


CLOSING = ("FW1", "FW2", "CLG", "LAK", "TMW")

# row, what is called, in these states
SYNCHRONIZED_CALLS = (
    ("OPEN-{}-1", "open", open_again, ("EST", "CLW") + CLOSING),
    ("SEND-{}-1", "send", send, ("EST", "CLW")),
    ("SEND-{}-1", "send", send_too_late, CLOSING),
    ("RECEIVE-{}-1", "receive", receive, ("EST", "FW1", "FW2")),
    ("RECEIVE-CLW-2", "receive-at-the-end", receive_the_end, ("CLW",)),
    ("RECEIVE-{}-1", "receive", receive_the_end, ("CLG", "LAK", "TMW")),
    ("CLOSE-{}-1", "close", close_with_fin, ("EST", "CLW")),
    ("CLOSE-{}-1", "close", close_again, CLOSING),
    ("ABORT-{}-1", "abort", abort, ("EST", "CLW") + CLOSING),
    ("STATUS-{}-1", "status", status, ("EST", "CLW") + CLOSING),
)


# ---- SYN-SENT, and SYN-RECEIVED after it -------------------------------------------------------


def establish(script, tag):
    if tag == "SYS":
        script.syn("S.", " ack 1")
        script.expect(". 1:1(0) ack 1")
    else:
        script.send(". 1:1(0) ack 1")


def opening_open(script, tag):
    script.call("   +0 connect(3, ..., ...) = -1 EALREADY (Operation already in progress)")
    establish(script, tag)
    is_established(script)


def opening_send(script, tag):
    """A write waits until the connection is established, then all leaves."""
    script.call(BLOCK)
    script.call("+0...0.11 write(3, ..., 100) = 100")
    script.lines.append("  +.1 %{ assert tcpi_state != TCP_ESTABLISHED, tcpi_state }%")
    establish(script, tag)
    script.expect("P. 1:101(100) ack 1")


def opening_receive(script, tag):
    """A read waits beyond the handshake for what the peer has to say."""
    script.call(BLOCK)
    script.call("+0...0.02 read(3, ..., 1000) = 100")
    establish(script, tag)
    script.send("P. 1:101(100) ack 1")
    script.expect(". 1:1(0) ack 101", wait="+0~+.3")


def opening_close(script, tag):
    script.call("   +0 close(3) = 0")
    if tag == "SYR":
        script.expect("F. 1:1(0) ack 1")
        script.send(". 1:1(0) ack 2")
        script.send("F. 1:1(0) ack 2")
        script.expect(". 2:2(0) ack 2")
        return
    script.syn("S.", " ack 1")
    script.expect("R 1:1(0)")


def opening_abort(script, tag):
    script.call("   +0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0")
    script.call("   +0 close(3) = 0")
    if tag == "SYR":
        script.expect("R. 1:1(0) ack 1")
        script.send(". 1:1(0) ack 1")
    else:
        script.syn("S.", " ack 1")
    script.expect("R 1:1(0)")


def opening_status(script, tag):
    script.has_error(0, 3)
    script.is_told({"SYS": "SYN_SENT", "SYR": "SYN_RECV"}[tag])


OPENING_CALLS = (
    ("OPEN", opening_open),
    ("SEND", opening_send),
    ("RECEIVE", opening_receive),
    ("CLOSE", opening_close),
    ("ABORT", opening_abort),
    ("STATUS", opening_status),
)


def meet(state, stimulus):
    def run(script):
        script.reach(state)
        stimulus(script, state)
    return run


def meet_opening(tag, stimulus):
    def run(script):
        connect(script)
        if tag == "SYR":
            script.syn()
            script.expect(f"S. 0:0(0) ack {script.isn + 1}", " <...>")
        stimulus(script, tag)
    return run


def cases():
    for tag, name in (("SYS", "SYN_SENT"), ("SYR", "SYN_RECV_active")):
        for call, stimulus in OPENING_CALLS:
            yield Case(name, f"call-{call.lower()}", f"CALL-{call}-{tag}-1",
                       meet_opening(tag, stimulus), every_isn=False)
    for row, name, stimulus, states in SYNCHRONIZED_CALLS:
        for state in SYNCHRONIZED:
            if state.tag in states:
                note = "the RST has an ACK: D-24" if name == "abort" else None
                yield Case(state.name, f"call-{name}", "CALL-" + row.replace("{}", state.tag),
                           meet(state, stimulus), every_isn=False, note=note)
