"""The lines of one script, and the synchronized states with the way there."""

MODULUS = 2**32
WINDOW = 65535  # what the peer offers
FAR = 2000000  # behind every window that is offered here
PAUSE = "+.12"  # no timer sends before: what comes until then is an answer
OPTIONS = "<mss 1460,sackOK,nop,nop>"

LISTEN = """\
   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 8) = 0
"""
SHUT = "   +0 shutdown(4, SHUT_WR) = 0\n"
NONBLOCK = "   +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"


class Case:
    """One script of the table: a state, what happens in it, and the rows that this shows.

    A note says in the title what is a choice of the stack rather than a rule; a setting is one of
    Linux, made before all else.
    """

    def __init__(self, state, name, rows, run, *, stamps=False, every_isn=True, note=None,
                 setting=None):
        self.state, self.name, self.rows, self.run = state, name, rows, run
        self.stamps, self.every_isn, self.note = stamps, every_isn, note
        self.setting = setting

    @property
    def title(self):
        note = f" ({self.note})" if self.note else ""
        return f"{self.state}: {self.name.replace('-', ' ')}{note}"


class State:
    """A synchronized state: how to get there by packets, and the numbers once there.

    snd_nxt and rcv_nxt are relative to the SYNs; snd_una lags where our FIN is unanswered.
    """

    def __init__(self, tag, name, steps, snd_una, snd_nxt, rcv_nxt):
        self.tag, self.name, self.steps = tag, name, steps
        self.snd_una, self.snd_nxt, self.rcv_nxt = snd_una, snd_nxt, rcv_nxt

    @property
    def reads(self):
        """Whether the peer may still send."""
        return self.tag in ("EST", "FW1", "FW2")

    @property
    def writes(self):
        return self.tag in ("EST", "CLW")


# A step: what the test calls, what the peer sends ("<"), what the stack answers (">").
SYNCHRONIZED = (
    State("EST", "ESTABLISHED", [], 1, 1, 1),
    State("FW1", "FIN_WAIT1", [("call", SHUT), (">", "F. 1:1(0) ack 1")], 1, 2, 1),
    State("FW2", "FIN_WAIT2", [("call", SHUT), (">", "F. 1:1(0) ack 1"), ("<", ". 1:1(0) ack 2")],
          2, 2, 1),
    State("CLW", "CLOSE_WAIT", [("<", "F. 1:1(0) ack 1"), (">", ". 1:1(0) ack 2")], 1, 1, 2),
    State("CLG", "CLOSING", [("call", SHUT), (">", "F. 1:1(0) ack 1"), ("<", "F. 1:1(0) ack 1"),
                             (">", ". 2:2(0) ack 2")], 1, 2, 2),
    State("LAK", "LAST_ACK", [("<", "F. 1:1(0) ack 1"), (">", ". 1:1(0) ack 2"), ("call", SHUT),
                              (">", "F. 1:1(0) ack 2")], 1, 2, 2),
    State("TMW", "TIME_WAIT", [("call", SHUT), (">", "F. 1:1(0) ack 1"), ("<", ". 1:1(0) ack 2"),
                               ("<", "F. 1:1(0) ack 2"), (">", ". 2:2(0) ack 2")], 2, 2, 2),
)


class Script:
    """Lines of one script. With timestamps every packet of the peer carries one."""

    def __init__(self, isn, v6, stamps):
        self.isn, self.v6, self.stamps = isn, v6, stamps
        self.lines = []
        self.value = 1000  # the peer's clock
        self.echo = 0  # what the script calls the stack's last timestamp

    def call(self, text):
        self.lines.append(text.rstrip("\n"))

    def tail(self):
        if not self.stamps:
            return ""
        return f" <nop,nop,TS val {self.value} ecr {self.echo}>"

    def send(self, packet, options=None, wait="+.01"):
        """The peer sends; the window is added where the line has none."""
        if " win " not in packet:
            packet += f" win {WINDOW}"
        self.value += 10
        self.lines.append(f"{wait:>5} < {packet}{self.tail() if options is None else options}")

    def expect(self, packet, options=None, wait="+0"):
        if options is None:
            options = " <...>" if self.stamps else ""
        self.lines.append(f"{wait:>5} > {packet}{options}")

    def syn(self, flags="S", ack=""):
        stamped = f"<mss 1460,sackOK,TS val {self.value} ecr {self.echo}>"
        options = stamped if self.stamps else OPTIONS
        self.send(f"{flags} {self.isn}:{self.isn}(0){ack}", f" {options}")

    def establish(self, keep_listener=False):
        """Passively: the descriptor is 4."""
        self.call(LISTEN)
        self.syn()
        synack = "<mss {},sackOK,TS val 100 ecr 1000>".format(1440 if self.v6 else 1460)
        synack = synack if self.stamps else "<...>"
        self.expect(f"S. 0:0(0) ack {(self.isn + 1) % MODULUS}", f" {synack}")
        self.echo = 100
        self.send(". 1:1(0) ack 1")
        self.call("   +0 accept(3, ..., ...) = 4")
        if not keep_listener:
            self.call("   +0 close(3) = 0")
        self.call(NONBLOCK)

    def reach(self, state, keep_listener=False):
        self.establish(keep_listener)
        for kind, text in state.steps:
            if kind == "call":
                self.call(text)
            elif kind == "<":
                self.send(text)
            else:
                self.expect(text)
        self.is_in(state.name)

    def is_in(self, name, wait="+0"):
        """Counted in TIME-WAIT: there Linux's socket knows nothing of its connection any more, and
        a comparison would see nothing but that."""
        if name == "TIME_WAIT":
            self.lines.append(f"{wait:>5} `sockstat | grep -c {name} | grep 1`")
        else:
            self.is_told(name, wait)

    def is_told(self, name, wait="+0"):
        self.lines.append(f"{wait:>5} %{{ assert tcpi_state == TCP_{name}, tcpi_state }}%")

    def ack(self, state, snd_nxt=None, rcv_nxt=None, options=None):
        """The empty ACK that tells where the stack is."""
        s = state.snd_nxt if snd_nxt is None else snd_nxt
        r = state.rcv_nxt if rcv_nxt is None else rcv_nxt
        self.expect(f". {s}:{s}(0) ack {r}", options)

    def ack_of_a_copy(self, state):
        """Of the peer's FIN: told as a duplicate [RFC2883], but by TIME-WAIT, which keeps no more
        than it needs."""
        r = state.rcv_nxt
        copy = "" if state.tag == "TMW" else f" <nop,nop,sack {r - 1}:{r}>"
        self.ack(state, options=copy)

    def prove(self, state, snd_nxt=None, rcv_nxt=None):
        """A segment outside the window draws an ACK that tells SND.NXT and RCV.NXT. Whatever the
        stack sent before would stand in its place."""
        far = (state.rcv_nxt if rcv_nxt is None else rcv_nxt) + FAR
        self.send(f". {far}:{far}(0) ack {state.snd_una}")
        self.ack(state, snd_nxt, rcv_nxt)

    def has_error(self, error, fd=4):
        self.call(f"   +0 getsockopt({fd}, SOL_SOCKET, SO_ERROR, [{error}], [4]) = 0")

    def is_gone(self, state, error=None):
        """No connection is left: a segment draws the RST of a stranger."""
        if error:
            self.has_error(error)
        r, s = state.rcv_nxt, state.snd_nxt
        self.send(f". {r}:{r}(0) ack {s}", "")
        self.expect(f"R {s}:{s}(0)", "")
