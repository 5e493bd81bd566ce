"""Engines, and one measured run of a workload in one of them."""

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Engine:
    """A command with the placeholders {wasm} and {args}, and perhaps {options} for what Catnap needs to be
    told for a workload; it runs in the scratch directory, which it must let the program see as its
    current directory."""

    name: str
    command: str

    def words(self, wasm, args, options=()):
        words = []
        for word in shlex.split(self.command):
            if word == "{args}":
                words += args
            elif word == "{options}":
                words += options
            else:
                words.append(word.replace("{wasm}", str(wasm)))
        return words

    def missing(self):
        program = shlex.split(self.command)[0]
        return None if shutil.which(program) else f"{program} is not there"


@dataclass
class Run:
    """The costs of one run: seconds of processor time (user and system), seconds on the clock, and
    the largest resident set in bytes; or why it does not count."""

    cpu: float = 0.0
    wall: float = 0.0
    rss: int = 0
    error: str | None = None


@dataclass
class Samples:
    """All runs of one workload in one engine."""

    runs: list = field(default_factory=list)
    error: str | None = None

    def add(self, run):
        if run.error:
            self.error = run.error
        else:
            self.runs.append(run)

    def median(self, what):
        values = sorted(getattr(run, what) for run in self.runs)
        middle = len(values) // 2
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2

    def spread(self):
        """How far the slowest run lies above the fastest, as a fraction."""
        values = [run.cpu for run in self.runs]
        return max(values) / max(min(values), 1e-9) - 1

    def good(self):
        return not self.error and bool(self.runs)


def describe(status, stderr):
    """Why a step failed."""
    last = stderr.decode(errors="backslashreplace").strip().splitlines()[:3]
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return f"{how}: {' / '.join(last)}" if last else how


def run_step(words, step, scratch, timeout, cpus):
    """Runs one step; returns a Run and what it printed."""
    standard_output = scratch / (step.stdout or ".stdout")
    errors = scratch / ".stderr"
    standard_input = (scratch / step.stdin) if step.stdin else os.devnull
    with open(standard_input, "rb") as stdin, open(standard_output, "wb") as stdout, \
            open(errors, "wb") as stderr:
        start = time.monotonic()
        child = subprocess.Popen(
            words, cwd=scratch, stdin=stdin, stdout=stdout, stderr=stderr,
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
        late = threading.Event()

        def kill():
            late.set()
            os.kill(child.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, kill)
        timer.start()
        # wait4 alone tells what this one child used.
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    run = Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024)
    if late.is_set():
        run.error = f"still running after {timeout:g} s"
    elif child.returncode != 0:
        run.error = describe(child.returncode, errors.read_bytes())
    return run, standard_output.read_bytes()


def run_workload(engine, workload, scratch, timeout, cpus):
    """Runs all steps of a workload once and checks the result; the times are sums."""
    workload.clean(scratch)
    total = Run()
    printed = b""
    for step in workload.steps:
        words = engine.words(workload.wasm, step.args, workload.options)
        run, printed = run_step(words, step, scratch, timeout, cpus)
        total.cpu += run.cpu
        total.wall += run.wall
        total.rss = max(total.rss, run.rss)
        if run.error:
            total.error = run.error
            return total
    total.error = workload.check(printed, scratch)
    return total
