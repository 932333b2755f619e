"""`script/bench --peers`: measures what docs/PERFORMANCE.md tells, and writes its tables anew."""
import json
import pathlib
import statistics
import subprocess
import sys

from beside_cases import CASES
from beside_table import ratio_text, table as table_beside
from budgets import BUDGETS, OTHERS
from namespaces import ROOT, find_build, say

PAGE = ROOT / "docs" / "PERFORMANCE.md"
BEGIN = "<!-- figures: written by script/bench --peers --update -->"
END = "<!-- end of figures -->"
INSTRUCTIONS = ROOT / "bench" / "instructions.txt"
# Cases beside those that `handfast bench` runs by itself; of those twice the latter counts.
MORE_CASES = (["memory", "--connections", "1000000"],
              ["lifecycle", "--idle", "1000000"], ["rr", "--connections", "1000000"],
              ["rr", "--connections", "1000000", "--at-once", "32"])
QUICK_CASES = (["lifecycle", "rr", "memory", "--rounds", "1"],)
QUICK_BESIDE = ["--rounds", "1", "--seconds", "0.2", "tun-exchange-1cpu"]
EXIT_SKIP = 77


class Incomplete(Exception):
    """Something could not be measured."""


# ---- measuring -----------------------------------------------------------------------------------


def preset_of_memory():
    """Times and instructions are those of a processor with AVX2, where this one has it."""
    has_avx2 = " avx2 " in pathlib.Path("/proc/cpuinfo").read_text()
    return "release-v3" if has_avx2 else "release"


def measure_in_memory(options):
    """JSON lines of `handfast bench`."""
    name = options.build or preset_of_memory()
    program = find_build(name, ("handfast_cli",)) / "handfast"
    for words in QUICK_CASES if options.quick else ([], *MORE_CASES):
        say(f"bench: handfast bench {' '.join(words)}".rstrip())
        done = subprocess.run([program, "bench", "--json", *words], check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Incomplete(f"handfast bench failed: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            yield {**json.loads(line), "build": name}


def measure_beside(options):
    """JSON lines of script/beside, also of one that fails later; none where it can't be done."""
    words = [sys.executable, ROOT / "script" / "beside", "--json", "--build",
             options.build or "release"]
    words += QUICK_BESIDE if options.quick else ["--rounds", options.rounds, "--seconds",
                                                 options.seconds]
    done = subprocess.run([str(word) for word in words], check=False, stdout=subprocess.PIPE,
                          text=True)
    yield from (json.loads(line) for line in done.stdout.splitlines())
    if done.returncode not in (0, 1, EXIT_SKIP):  # 1: a ratio is short of its aim
        raise Incomplete(f"script/beside ended with {done.returncode}")


def measure(options, path):
    """Everything, to a file of JSON lines; what is measured is kept, whatever fails later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        for part in (measure_in_memory, measure_beside):
            for line in part(options):
                print(json.dumps(line, separators=(",", ":")), file=file, flush=True)


# ---- figures -------------------------------------------------------------------------------------


class Figures:
    """What a file of JSON lines tells."""

    def __init__(self, path):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.memory = [line for line in lines if "case" in line and "peer" not in line]
        self.beside = [line for line in lines if "peer" in line and "rounds" in line]
        self.parameters = next((line for line in lines if "case" not in line), None)
        self.build = self.memory[0]["build"] if self.memory else ""
        preset = pathlib.Path(self.build).name
        rows = [line.split() for line in INSTRUCTIONS.read_text().splitlines()
                if line and not line.startswith("#")]
        self.counted = {case: {"all": int(all_), "core": int(core)}
                        for case, build, all_, core in rows if build == preset}

    def line(self, case, kind=None):
        found = [line for line in self.memory
                 if line["case"] == case and line.get("kind") == kind]
        return found[-1] if found else None

    def instructions(self, case, part):
        return self.counted.get(case, {}).get(part)

    def reference_ms(self):
        """The fixed loop's time in this run: median, least, most."""
        spans = [line["reference_ns"] / 1e6 for line in self.memory if "reference_ns" in line]
        return (statistics.median(spans), min(spans), max(spans)) if spans else None


# ---- the page ------------------------------------------------------------------------------------


def number(value):
    """Three digits that count, thousands apart."""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def row(budget, figures):
    sign = ">=" if budget.more_is_better else "<="
    cells = [budget.what, f"{sign} {number(budget.aim)}"]
    reached = budget.reached(figures)
    if reached is None:
        cells += ["not measured", "", "", ""]
    else:
        cells += [number(reached.value),
                  "" if reached.least is None else
                  f"{number(reached.least)} .. {number(reached.most)}",
                  f"{reached.value / budget.aim:.2f}" if budget.aim else "",
                  "holds" if budget.holds(reached.value) else "short"]
    return "| " + " | ".join(cells + [budget.others.get(other, "") for other in OTHERS]) + " |"


def short_in_memory(figures):
    for budget in BUDGETS:
        reached = budget.reached(figures)
        if reached is not None and not budget.holds(reached.value):
            share = reached.value / budget.aim if budget.aim else reached.value
            yield f"{budget.what}: {share:.2f} of the budget"


def short_beside(figures):
    for line in figures.beside:
        if not line.get("holds", True):
            sign = "at least" if line["better"] == "more" else "at most"
            yield (f"{line['case']}: {ratio_text(line)} of {line['peer']}, "
                   f"{sign} {line['aim']} is asked for")


def table_in_memory(figures):
    text = f"Build {pathlib.Path(figures.build).name}."
    reference = figures.reference_ms()
    if reference is not None:
        text += (f" The fixed loop beside each round took {reference[0]:.1f} ms "
                 f"[{reference[1]:.1f} .. {reference[2]:.1f}].")
    return ["### In memory", "", text, "",
            "| what | budget | Handfast | least .. most | of the budget | | "
            + " | ".join(OTHERS) + " |",
            "|---|--:|--:|---|--:|---|" + "--:|" * len(OTHERS),
            *(row(budget, figures) for budget in BUDGETS)]


def table_over_devices(figures):
    if not figures.beside:
        return ["### Over TUN, and the gateway", "", "Not measured."]
    names = {line["case"] for line in figures.beside}
    cases = [case for case in CASES if any(case.name + part in names for part in case.parts)]
    text = table_beside(figures.parameters, figures.beside, cases)
    return ["### Over TUN, and the gateway", "", text.rstrip()]


def short_of_aims(figures):
    found = [*short_in_memory(figures), *short_beside(figures)]
    if not found:
        return ["### Short of what is asked for", "", "Nothing."]
    return ["### Short of what is asked for", "", *(f"- {text}" for text in found)]


def is_complete(figures):
    wanted = {case.name + part for case in CASES for part in case.parts}
    measured = {line["case"] for line in figures.beside}
    return wanted <= measured and None not in (budget.reached(figures) for budget in BUDGETS)


def page_of(figures):
    parts = (table_in_memory, table_over_devices, short_of_aims)
    return "\n\n".join("\n".join(part(figures)) for part in parts) + "\n"


def put_into_page(text):
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.split(END)[1]}")


def run(options):
    """The command's exit status."""
    path = options.from_file or options.out / "figures.jsonl"
    try:
        if options.from_file is None:
            measure(options, path)
    except Incomplete as reason:
        say(f"bench: {reason}")
        return 1
    try:
        figures = Figures(path)
    except (OSError, ValueError) as reason:
        say(f"bench: {path} is no file of figures: {reason}")
        return 1
    text = page_of(figures)
    print(text, end="")
    say(f"bench: the figures are in {path}")
    if not is_complete(figures):
        say("bench: not all could be measured" + (
            f"; {PAGE.name} is left as it is" if options.update else ""))
        return EXIT_SKIP
    if options.update:
        put_into_page(text)
    return 0
