"""Results as a Markdown table and as JSON."""

import json
import math
import platform
import time
from pathlib import Path

TITLES = {"kernel": "Kernels", "program": "Real programs", "startup": "Start-up"}


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith(("model name", "cpu model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


class Results:
    """The samples of each (workload, engine), and what is derived from them."""

    def __init__(self, engines, reference, workloads):
        self.engines = engines
        self.reference = reference
        self.workloads = workloads
        self.samples = {}  # (workload name, engine name) -> Samples

    def get(self, workload, engine):
        return self.samples.get((workload.name, engine.name))

    def time(self, workload, engine):
        """Median processor time in seconds, or None."""
        samples = self.get(workload, engine)
        return samples.median("cpu") if samples and samples.good() else None

    def speed(self, workload, engine):
        """How many times as fast as the reference, or None."""
        own, reference = self.time(workload, engine), self.time(workload, self.reference)
        return reference / max(own, 1e-6) if own is not None and reference is not None else None

    def kinds(self):
        return [kind for kind in TITLES if any(w.kind == kind for w in self.workloads)]

    def of_kind(self, kind):
        return [workload for workload in self.workloads if workload.kind == kind]

    def mean_speed(self, kind, engine):
        """The geometric mean of the speeds, of how many workloads, or None and 0."""
        speeds = [self.speed(workload, engine) for workload in self.of_kind(kind)]
        speeds = [speed for speed in speeds if speed is not None]
        return (geometric_mean(speeds) if speeds else None), len(speeds)

    def failures(self):
        for workload in self.workloads:
            for engine in self.engines:
                samples = self.get(workload, engine)
                if samples and samples.error:
                    yield workload, engine, samples.error


def table(results, kind):
    """One table: processor time of each engine, then the speed of all but the reference."""
    others = [engine for engine in results.engines if engine is not results.reference]
    lines = [
        f"| {TITLES[kind]} |"
        + "".join(f" {engine.name}, ms |" for engine in results.engines)
        + "".join(f" {engine.name}, × |" for engine in others),
        "|---|" + "---:|" * (len(results.engines) + len(others)),
    ]
    for workload in results.of_kind(kind):
        cells = []
        for engine in results.engines:
            seconds = results.time(workload, engine)
            cells.append("failed" if seconds is None else f"{seconds * 1000:.0f}")
        for engine in others:
            speed = results.speed(workload, engine)
            cells.append("" if speed is None else f"{speed:.2f}")
        lines.append(f"| {workload.name} | " + " | ".join(cells) + " |")
    means = []
    total = len(results.of_kind(kind))
    for engine in others:
        mean, count = results.mean_speed(kind, engine)
        of = "" if count == total else f" ({count} of {total})"
        means.append("" if mean is None else f"**{mean:.2f}**{of}")
    if others:
        lines.append("| **geometric mean** |" + " |" * len(results.engines) + " "
                     + " | ".join(means) + " |")
    return "\n".join(lines)


def markdown(results, runs):
    name = results.reference.name
    parts = [
        f"Processor time (user and system) in milliseconds, medians of {runs} alternating runs on "
        f"{processor()}; × is the speed as a multiple of {name}'s."
    ]
    parts += [f"### {TITLES[kind]}\n\n{table(results, kind)}" for kind in results.kinds()]
    failures = [f"- {workload.name} in {engine.name}: {error}"
                for workload, engine, error in results.failures()]
    if failures:
        parts.append("Failed:\n\n" + "\n".join(failures))
    return "\n\n".join(parts) + "\n"


def to_json(results, runs):
    entries = []
    for (workload, engine), samples in results.samples.items():
        entry = {"workload": workload, "engine": engine, "error": samples.error}
        if samples.good():
            entry |= {
                "cpu_seconds": [round(run.cpu, 6) for run in samples.runs],
                "wall_seconds": [round(run.wall, 6) for run in samples.runs],
                "max_rss_bytes": max(run.rss for run in samples.runs),
                "median_cpu_seconds": round(samples.median("cpu"), 6),
                "spread": round(samples.spread(), 4),
            }
        entries.append(entry)
    means = {
        kind: {engine.name: results.mean_speed(kind, engine)[0] for engine in results.engines}
        for kind in results.kinds()
    }
    return json.dumps(
        {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "processor": processor(),
            "system": platform.platform(),
            "runs": runs,
            "reference": results.reference.name,
            "engines": {engine.name: engine.command for engine in results.engines},
            "kinds": {workload.name: workload.kind for workload in results.workloads},
            "geometric_mean_speed": means,
            "results": entries,
        },
        indent=1,
    ) + "\n"
