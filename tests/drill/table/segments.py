"""Segments that come in synchronized states, and what must follow."""

from table.script import FAR, MODULUS, OPTIONS, PAUSE, SYNCHRONIZED, WINDOW, Case


def outside_window(script, st):
    far = st.rcv_nxt + FAR
    script.send(f". {far}:{far}(0) ack {st.snd_una}")
    script.ack(st)
    script.is_in(st.name)


def data_before_window(script, st):
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt + 10}(10) ack {st.snd_una}")
    script.expect(f". {st.snd_nxt}:{st.snd_nxt}(0) ack {st.rcv_nxt + 10}", wait="+0~+.3")
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt + 10}(10) ack {st.snd_una}")
    script.expect(f". {st.snd_nxt}:{st.snd_nxt}(0) ack {st.rcv_nxt + 10}",
                  " <...>", wait="+0~+.3")
    script.is_in(st.name)


def rst_outside_window(script, st):
    far = st.rcv_nxt + FAR
    script.send(f"R {far}:{far}(0)")
    script.send(f"R. {far}:{far}(0) ack {st.snd_una}")
    before = (st.rcv_nxt - 1) % MODULUS
    script.send(f"R {before}:{before}(0)")
    script.is_in(st.name)
    script.prove(st)


def rst_in_window(script, st):
    at = st.rcv_nxt + 5
    script.send(f"R {at}:{at}(0)")
    script.ack(st)
    script.is_in(st.name)


def rst_exact(script, st):
    script.send(f"R {st.rcv_nxt}:{st.rcv_nxt}(0)")
    script.is_gone(st, None if st.tag in ("CLG", "LAK") else "ECONNRESET")


def rst_in_time_wait(script, st):
    script.send(f"R {st.rcv_nxt}:{st.rcv_nxt}(0)")
    script.send(f"R. {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_nxt}")
    script.send(f"F. {st.rcv_nxt - 1}:{st.rcv_nxt - 1}(0) ack {st.snd_nxt}")
    script.ack(st)
    script.is_in(st.name)


def syn_at(offset):
    def stimulus(script, st):
        at = (st.rcv_nxt + offset + script.isn) % MODULUS
        script.send(f"S {at}:{at}(0)", f" {OPTIONS}" if not script.stamps else None)
        script.ack(st)
        script.is_in(st.name)
    return stimulus


def no_ack_flag(script, st):
    if st.reads:
        script.send(f"- {st.rcv_nxt}:{st.rcv_nxt + 10}(10)")
    else:
        script.send(f"F {st.rcv_nxt}:{st.rcv_nxt}(0)")
    script.is_in(st.name, wait=PAUSE)
    script.prove(st)


def ack_of_the_future(script, st):
    ahead = st.snd_nxt + 1
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {ahead}")
    script.ack(st)
    script.is_in(st.name)


def ack_of_the_past(script, st):
    past = (st.snd_una - 100000) % MODULUS
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {past}")
    script.ack(st)
    script.is_in(st.name)


def ack_again(script, st):
    for _ in range(2):
        script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una}")
    script.is_in(st.name)
    script.prove(st)


def written_is_acked(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 write(4, ..., 1000) = 1000")
    script.expect(f"P. {s}:{s + 1000}(1000) ack {r}")
    script.call("   +0 ioctl(4, SIOCOUTQ, [1000]) = 0")
    script.send(f". {r}:{r}(0) ack {s + 1000}")
    script.call("   +0 ioctl(4, SIOCOUTQ, [0]) = 0")
    script.is_in(st.name)
    script.prove(st, snd_nxt=s + 1000)


def window_is_taken(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.send(f". {r}:{r}(0) ack {st.snd_una} win 100")
    script.call("   +0 write(4, ..., 1000) = 1000")
    script.expect(f". {s}:{s + 100}(100) ack {r}", wait="+0~+.3")
    script.send(f". {r}:{r}(0) ack {s + 100}")
    script.expect(f"P. {s + 100}:{s + 1000}(900) ack {r}")


def fin_is_acked(script, st):
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_nxt}")
    after = {"FW1": "FIN_WAIT2", "CLG": "TIME_WAIT"}.get(st.tag)
    if after:
        script.is_in(after)
        script.prove(st)
    else:
        script.is_gone(st)


def fin_not_acked(script, st):
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una}")
    script.is_in(st.name)
    script.prove(st)


def ahead_of_a_gap(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.send(f". {r + 100}:{r + 200}(100) ack {st.snd_una}")
    script.ack(st, options=" <...>" if script.stamps else f" <nop,nop,sack {r + 100}:{r + 200}>")
    script.send(f". {r}:{r + 100}(100) ack {st.snd_una}")
    script.expect(f". {s}:{s}(0) ack {r + 200}")
    script.call("   +0 read(4, ..., 1000) = 200")
    script.is_in(st.name)


def text_in_order(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.send(f"P. {r}:{r + 100}(100) ack {st.snd_una}")
    script.expect(f". {s}:{s}(0) ack {r + 100}", wait="+0~+.3")
    script.call("   +0 read(4, ..., 1000) = 100")
    script.is_in(st.name)


def text_after_fin(script, st):
    """The peer said that it was done: what it sends now does not count. Only TIME-WAIT answers."""
    r = st.rcv_nxt
    script.send(f"P. {r}:{r + 10}(10) ack {st.snd_una}")
    if st.tag == "TMW":
        script.ack(st)
    script.is_in(st.name, wait=PAUSE)
    script.prove(st)


def urgent_after_fin(script, st):
    r = st.rcv_nxt
    script.send(f"U. {r}:{r}(0) ack {st.snd_una} win {WINDOW} urg 5")
    script.is_in(st.name, wait=PAUSE)
    script.prove(st)


def urgent_in_line(script, st):
    """The pointer names the octet behind the urgent ones; a read stops before the last of them."""
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 setsockopt(4, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0")
    script.send(f"PU. {r}:{r + 10}(10) ack {st.snd_una} win {WINDOW} urg 6")
    script.expect(f". {s}:{s}(0) ack {r + 10}", wait="+0~+.3")
    script.call("   +0 read(4, ..., 1000) = 5")
    script.call("   +0 read(4, ..., 1000) = 5")
    script.is_in(st.name)


def window_is_told(script, st):
    """With nothing more to send the window of the peer shows in TCP_INFO only."""
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una} win 100")
    script.call("   +0 %{ assert tcpi_snd_wnd == 100, tcpi_snd_wnd }%")
    script.is_in(st.name)
    script.prove(st)


def text_for_nobody(script, st):
    """Both ways are closed: the RST tells the peer that its data is lost."""
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 close(4) = 0")
    script.send(f"P. {r}:{r + 100}(100) ack {st.snd_una}")
    script.expect(f"R. {s}:{s}(0) ack {r}")
    script.is_gone(st)


def lingering_close(script, st):
    """A close that lingers has nothing to wait for; the connection stays."""
    s, r = st.snd_nxt, st.rcv_nxt
    script.call("   +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0")
    script.call("   +0 close(4) = 0")
    script.send(f"F. {r}:{r}(0) ack {s}")
    script.expect(f". {s}:{s}(0) ack {r + 1}")


def fin_in_order(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.send(f"F. {r}:{r}(0) ack {st.snd_una}")
    script.expect(f". {s}:{s}(0) ack {r + 1}")
    script.call("   +0 read(4, ..., 1000) = 0")
    script.is_in({"EST": "CLOSE_WAIT", "FW1": "CLOSING", "FW2": "TIME_WAIT"}[st.tag])


def fin_and_ack_of_fin(script, st):
    s, r = st.snd_nxt, st.rcv_nxt
    script.send(f"F. {r}:{r}(0) ack {s}")
    script.expect(f". {s}:{s}(0) ack {r + 1}")
    script.is_in("TIME_WAIT")


def fin_again(script, st):
    script.send(f"F. {st.rcv_nxt - 1}:{st.rcv_nxt - 1}(0) ack {st.snd_una}")
    script.ack_of_a_copy(st)
    script.is_in(st.name)


def old_timestamp(script, st):
    script.value -= 500
    script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una}")
    script.value += 500
    script.ack(st, options=" <...>")
    script.is_in(st.name)


def no_timestamp(script, st):
    if st.reads:
        script.send(f". {st.rcv_nxt}:{st.rcv_nxt + 10}(10) ack {st.snd_una}", "")
    else:
        script.send(f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una}", "")
    script.is_in(st.name, wait=PAUSE)
    script.prove(st)


def timestamp_is_kept(script, st):
    """TS.Recent follows what is accepted: a value between the old one and the new one is late."""
    at = f". {st.rcv_nxt}:{st.rcv_nxt}(0) ack {st.snd_una}"
    script.value = 5000
    script.send(at)
    script.value = 3000
    script.send(at)
    script.ack(st, options=" <...>")
    script.is_in(st.name)


ALL = ("EST", "FW1", "FW2", "CLW", "CLG", "LAK", "TMW")
NOT_TMW = ALL[:-1]

# name, rows that it covers ("{}" is the state's tag), function, states, with timestamps
SEGMENTS = (
    ("outside-window", "SM-{}-1b-win", outside_window, ALL, False),
    ("old-data", "SM-{}-1b-win", data_before_window, ("EST", "FW1", "FW2"), False),
    ("rst-outside-window", "SM-{}-1b-win-rst", rst_outside_window, ALL, False),
    ("rst-in-window", "SM-{}-2-rst-inwin", rst_in_window, NOT_TMW, False),
    ("rst-exact", "SM-{}-2-rst", rst_exact, NOT_TMW, False),
    ("rst-ignored", "SM-{}-2-rst-1337", rst_in_time_wait, ("TMW",), False),
    ("syn-left", "SM-{}-4-syn", syn_at(-1), ALL, False),
    ("syn-exact", "SM-{}-4-syn", syn_at(0), ALL, False),
    ("syn-inside", "SM-{}-4-syn", syn_at(10), ALL, False),
    ("syn-outside", "SM-{}-4-syn", syn_at(FAR), ALL, False),
    ("no-ack-flag", "SM-{}-5-noack", no_ack_flag, ALL, False),
    ("ack-future", "SM-{}-5-ack-future", ack_of_the_future, ("EST", "FW1", "FW2", "CLW", "CLG"),
     False),
    ("ack-ahead", "SM-{}-5-ack-range, MAY-12, CO-5961-03", ack_of_the_future, ALL, False),
    ("ack-past", "SM-{}-5-ack-range, MAY-12, CO-5961-03", ack_of_the_past, NOT_TMW, False),
    ("ack-again", "SM-{}-5-ack-dup", ack_again, ("EST", "FW1", "FW2", "CLW", "CLG"), False),
    ("data-acked", "SM-{}-5-ack-new", written_is_acked, ("EST", "CLW"), False),
    ("window", "SM-{}-5-wnd", window_is_taken, ("EST", "CLW"), False),
    ("window-told", "SM-{}-5-wnd", window_is_told, ("FW1", "FW2", "CLG"), False),
    ("lingering-close", "SM-{}-5-rtxempty", lingering_close, ("FW2",), False),
    ("urgent", "SM-{}-6-urg, MUST-31, MUST-62", urgent_in_line, ("EST", "FW1", "FW2"), False),
    ("text-after-close", "SM-{}-7-text-closed, SHLD-3", text_for_nobody, ("FW1", "FW2"), False),
    ("fin-acked", "SM-{}-5-finacked", fin_is_acked, ("FW1", "CLG", "LAK"), False),
    ("fin-not-acked", "SM-{}-5-finnot", fin_not_acked, ("CLG", "LAK"), False),
    ("gap", "SM-{}-1b-ooo, SHLD-31", ahead_of_a_gap, ("EST", "FW1", "FW2"), False),
    ("text", "SM-{}-7-text", text_in_order, ("EST", "FW1", "FW2"), False),
    ("text-after-fin", "SM-{}-7-text", text_after_fin, ("CLW", "CLG", "LAK", "TMW"), False),
    ("urgent-after-fin", "SM-{}-6-urg", urgent_after_fin, ("CLW", "CLG", "LAK", "TMW"), False),
    ("fin", "SM-{}-8-fin", fin_in_order, ("EST", "FW1", "FW2"), False),
    ("fin-acks-fin", "SM-{}-8-fin-acked", fin_and_ack_of_fin, ("FW1",), False),
    ("fin-again", "SM-{}-8-fin", fin_again, ("CLW", "CLG", "LAK"), False),
    ("fin-again", "SM-{}-8-fin, SM-{}-1b-finrtx, SM-{}-5-any", fin_again, ("TMW",), False),
    ("timestamp-old", "SM-{}-1a-paws", old_timestamp, ALL, True),
    ("timestamp-missing", "SM-{}-1a-nots", no_timestamp, ALL, True),
    ("timestamp-newer", "SM-{}-1b-tsrec", timestamp_is_kept, ALL, True),
)

# Where a rule leaves a choice, and this is ours.
CHOICES = {"rst-ignored": "our choice: D-21", "text-after-close": "the RST has an ACK: D-24"}


def meet(state, stimulus):
    def run(script):
        script.reach(state)
        stimulus(script, state)
    return run


def cases():
    """Each state with each segment that it has a row for."""
    for state in SYNCHRONIZED:
        for name, rows, stimulus, states, stamps in SEGMENTS:
            if state.tag in states:
                yield Case(state.name, name, rows.replace("{}", state.tag) + ", UN-01",
                           meet(state, stimulus), stamps=stamps, note=CHOICES.get(name))
