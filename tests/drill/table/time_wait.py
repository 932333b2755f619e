"""A SYN for a connection in TIME-WAIT that is listened for again [RFC6191]."""

from table.script import MODULUS, SYNCHRONIZED, Case

TIME_WAIT = SYNCHRONIZED[-1]
BARE = " <mss 1460>"

# Where the SYN stands: the peer's FIN was the last number before RCV.NXT.
BEYOND, AT_FIN, BEFORE = 0, -1, -1000
NEWER, EQUAL, OLDER, ABSENT = 100, 0, -100, None  # its timestamp, against the last one seen


def syn(offset, stamp, opens):
    """The SYN opens the pair again, or nothing comes back and TIME-WAIT goes on."""
    def run(script):
        script.reach(TIME_WAIT, keep_listener=True)
        at = (script.isn + TIME_WAIT.rcv_nxt + offset) % MODULUS
        last = script.value
        options = BARE
        if stamp is not None:
            options = f" <mss 1460,nop,nop,TS val {last + stamp} ecr 0>"
        script.send(f"S {at}:{at}(0)", options)
        if opens:
            script.expect(f"S. ...(0) ack {(at + 1) % MODULUS}", " <...>")
            return
        script.send("F. 1:1(0) ack 2")
        script.ack(TIME_WAIT)
        script.is_in(TIME_WAIT.name)
    return run


# name, row, rows of RFC 6191, run, the old connection had timestamps
SYNS = (
    ("timestamp-newer", "ts-new", "CO-6191-01", syn(BEFORE, NEWER, True), True),
    ("timestamp-equal", "ts-eq", "CO-6191-02, CO-6191-06", syn(BEYOND, EQUAL, True), True),
    ("timestamp-equal-at-fin", "ts-old", "CO-6191-02, CO-6191-06", syn(AT_FIN, EQUAL, False), True),
    ("timestamp-older", "ts-old", "CO-6191-05", syn(BEYOND, OLDER, False), True),
    ("timestamp-gone", "ts-off", "CO-6191-03", syn(BEYOND, ABSENT, True), True),
    ("timestamp-gone-at-fin", "ts-old", "CO-6191-03, CO-6191-06", syn(AT_FIN, ABSENT, False), True),
    ("timestamp-new-here", "nots-ts", "CO-6191-04", syn(BEFORE, NEWER, True), False),
    ("number-newer", "nots-seq", "CO-6191-05", syn(BEYOND, ABSENT, True), False),
    ("number-of-fin", "nots-old", "CO-6191-05, CO-6191-06", syn(AT_FIN, ABSENT, False), False),
    ("number-older", "nots-old", "CO-6191-05", syn(BEFORE, ABSENT, False), False),
)


def cases():
    for name, row, rows, run, stamps in SYNS:
        yield Case(TIME_WAIT.name, f"syn-{name}", f"SM-TMW-1s-tw-{row}, {rows}, SHLD-4, UN-01", run,
                   stamps=stamps)
