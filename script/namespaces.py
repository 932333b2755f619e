"""What script/paths and script/beside share: programs that run in network namespaces of their own,
figures of several rounds, and numbers of a command line."""
import argparse
import contextlib
import ctypes
import json
import math
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

LIBC = ctypes.CDLL(None)  # loaded before any fork
PR_SET_PDEATHSIG = 1
ROOT = pathlib.Path(__file__).resolve().parent.parent
# 95 %, two sides, by degrees of freedom
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306,
           9: 2.262, 10: 2.228, 14: 2.145, 19: 2.093, 29: 2.045}


class CannotRun(Exception):
    """The reason why nothing can be measured here."""


class Failed(Exception):
    """A run that came to nothing, and why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def find_build(name, targets):
    """The directory of a build; of a preset what is needed is built first."""
    if "/" in name:
        if not (pathlib.Path(name) / "handfast").is_file():
            say(f"{name} is no build: there is no handfast in it (script/build makes one)")
            sys.exit(2)
        return pathlib.Path(name).resolve()
    for target in targets:
        built = subprocess.run([ROOT / "script" / "build", name, target], check=False,
                               stdout=sys.stderr)
        if built.returncode != 0:  # it has said why
            sys.exit(built.returncode)
    return ROOT / "build" / name


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], check=False,
                          capture_output=True, text=True)
    return done.stdout.strip() or "of unknown version"


def check_machine(*tools):
    """Ends in CannotRun where no namespaces can be made, or a tool is missing."""
    for tool in ("ip", "tc", "unshare", "nsenter", *tools):
        if shutil.which(tool) is None:
            raise CannotRun(f"{tool} is not installed")
    if os.geteuid() != 0:
        raise CannotRun("only root may make namespaces and choose the algorithm")
    if not os.access("/dev/net/tun", os.W_OK):
        raise CannotRun("there is no /dev/net/tun")
    own = subprocess.run(["unshare", "--net", "sh", "-c", "test -w /proc/sys/net/ipv4/ip_forward"],
                         check=False, capture_output=True, text=True)
    if own.returncode != 0:
        raise CannotRun(f"no namespace with settings of its own can be made {own.stderr.strip()}")
    available = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text()
    if "cubic" not in available.split():
        raise CannotRun("this kernel has no cubic (modprobe tcp_cubic)")


def number(low, high, kind):
    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{low} to {high}, not '{text}'")
        return value
    return read


def stop(*_):
    """Of SIGTERM: once; while what was started is ended, nothing interrupts."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def interval(ratios):
    """Geometric mean and 95 % interval: Student's, of the logarithms; None: of one, there is
    none."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), None
    freedom = max(n for n in STUDENT if n <= len(logs) - 1)
    half = STUDENT[freedom] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), (math.exp(mean - half), math.exp(mean + half))


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def prepare_child(cpus):
    """Before it becomes its program: it may not go on alone, even if we are killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if cpus is not None:
        os.sched_setaffinity(0, cpus)


class Process:
    """A program whose output goes to files, in a session of its own: Ctrl-C is for us alone. With
    cpus it, and all that it starts, runs on these processors only."""

    def __init__(self, argv, directory, stdin=subprocess.DEVNULL, cpus=None):
        self.name = pathlib.Path(argv[-1] if argv[0] != "nsenter" else argv[3]).name
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(tempfile.NamedTemporaryFile(
                dir=directory, delete=False)) for _ in range(2))
            self.out, self.err = pathlib.Path(out.name), pathlib.Path(err.name)
            self.popen = subprocess.Popen([str(word) for word in argv], stdin=stdin, stdout=out,
                                          stderr=err, start_new_session=True,
                                          preexec_fn=lambda: prepare_child(cpus))

    def said(self):
        return self.out.read_text() + self.err.read_text()

    def wait_until_it_says(self, text, seconds=10):
        end = time.monotonic() + seconds
        while text not in self.said():
            if self.popen.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} does not say '{text}': {self.said().strip()}")
            time.sleep(0.005)

    def finish(self, seconds):
        """Waits for its end."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end: {self.said().strip()}") from None
        if code != 0:
            raise Failed(f"{self.name} ended with {code}: {self.said().strip()}")

    def end(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is not None:
                break
            self.popen.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(2)
        if self.popen.stdin is not None:
            self.popen.stdin.close()


class Namespaces:
    """Network namespaces that live as long as this does, by name.

    Each is held by a process that waits for the end of its input, so nothing is left behind
    whatever becomes of us."""

    def __init__(self, stack, directory):
        self.stack, self.directory, self.holders = stack, directory, {}

    def start(self, argv, **how):
        process = Process(argv, self.directory, **how)
        self.stack.callback(process.end)
        return process

    def make(self, name, settings):
        """A new one, in which a piece of shell is run."""
        holder = self.start(["unshare", "--net", "sh", "-c", "echo here; exec cat"],
                            stdin=subprocess.PIPE)
        holder.wait_until_it_says("here")
        self.holders[name] = holder.popen.pid
        self.shell(name, settings)

    def inside(self, name):
        return ["nsenter", f"--net=/proc/{self.holders[name]}/ns/net", "--"]

    def shell(self, name, script):
        done = subprocess.run([*self.inside(name), "sh", "-c", script], check=False,
                              capture_output=True, text=True, start_new_session=True)
        if done.returncode != 0:
            raise CannotRun(f"setting up a namespace: {done.stderr.strip()}")
        return done.stdout
