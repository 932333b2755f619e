"""What the runs of script/beside come to: JSON lines, and the table."""
import json
import statistics

from beside_cases import AIMS, CASES, HANDFAST, PACKAGES, is_there

UNITS = {"bit/s": (1e-9, "Gbit/s", 1), "1/s": (1e-3, "thousand/s", 2), "s": (1e6, "us", 1)}


class Figures:
    """Values of all rounds, by case (with its part) and peer."""

    def __init__(self):
        self.values = {}

    def add(self, case, peer, value):
        self.values.setdefault((case, peer), []).append(value)

    def of(self, case, peer):
        return self.values.get((case, peer), [])

    def ratios(self, case, peer):
        """Handfast's to a peer's, round by round."""
        return [own / other for own, other in zip(self.of(case, HANDFAST), self.of(case, peer))]


def spread(values):
    return statistics.median(values), min(values), max(values)


def holds(case, name, peer, ratio):
    """Whether a ratio meets its aim; None: there is none."""
    aim = AIMS.get((name, peer))
    if aim is None:
        return None
    return ratio >= aim if case.more_is_better else ratio <= aim


def summary(figures):
    """A dictionary for each case, part and peer that was measured."""
    for case in CASES:
        for name in (case.name + part for part in case.parts):
            for peer in case.peers:
                values = figures.of(name, peer)
                if not values:
                    continue
                middle, least, most = spread(values)
                line = {"case": name, "peer": peer, "value": middle, "unit": case.unit,
                        "min": least, "max": most, "rounds": len(values),
                        "better": "more" if case.more_is_better else "less",
                        "placement": case.placement.words}
                ratios = figures.ratios(name, peer) if peer != HANDFAST else []
                if ratios:
                    line["handfast_ratio"], line["ratio_min"], line["ratio_max"] = spread(ratios)
                    good = holds(case, name, peer, line["handfast_ratio"])
                    if good is not None:
                        line["aim"], line["holds"] = AIMS[name, peer], good
                yield line


def json_text(line):
    def short(value):
        return float(f"{value:.6g}") if isinstance(value, float) else value
    return json.dumps({key: short(value) for key, value in line.items()}, separators=(",", ":"))


def value_cells(line):
    scale, unit, digits = UNITS[line["unit"]]
    middle, least, most = (f"{line[key] * scale:.{digits}f}" for key in ("value", "min", "max"))
    return f"{middle} {unit} | {least} .. {most}"


def ratio_text(line):
    """Of two digits behind the point; of three where it would look like the aim and is not."""
    ratio = line["handfast_ratio"]
    close = not line.get("holds", True) and f"{ratio:.2f}" == f"{line['aim']:.2f}"
    return f"{ratio:.3f}" if close else f"{ratio:.2f}"


def ratio_cells(line):
    if "handfast_ratio" not in line:
        return " | | | "
    ratio = f"{ratio_text(line)} | {line['ratio_min']:.2f} .. {line['ratio_max']:.2f}"
    if "aim" not in line:
        return f"{ratio} | | "
    sign = ">=" if line["better"] == "more" else "<="
    return f"{ratio} | {sign} {line['aim']} | {'holds' if line['holds'] else 'short'}"


def left_out(cases):
    """A line for whatever can't be measured here, and why."""
    for case in cases:
        if not case.placement.is_possible():
            yield f"{case.name} is left out: there is one processor only"
    for peer, package in PACKAGES.items():
        if not is_there(peer) and any(peer in case.peers for case in cases):
            yield f"{peer} is not installed and left out: apt-get install {package}"


def words_of(parameters):
    return ("Linux {kernel} (cubic) and Handfast {commit}, {rounds} rounds of {seconds:g} s, "
            "{date}; {processors} processors ({processor}). Buffers of {buffer_bytes} bytes, sinks "
            "of the kernel's (but iperf3's) that sleep until {wake_bytes} have come; {at_once} "
            "connections at once to {destinations} destinations; MTU 1500, of user-mode networks "
            "{gateway_mtu_bytes}."
            ).format(**parameters)


def table(parameters, lines, cases):
    """Markdown."""
    text = [words_of(parameters), "",
            "| case | who | median | least .. most | Handfast / who | least .. most | aim | |",
            "|---|---|--:|---|--:|---|--:|---|"]
    text += [f"| {line['case']} | {line['peer']} | {value_cells(line)} | {ratio_cells(line)} |"
             for line in lines]
    text += ["", *(f"{case.name}: {case.text}; {case.placement.words}." for case in cases)]
    missing = list(left_out(cases))
    return "\n".join(text + ([""] + missing if missing else [])) + "\n"
