"""Workloads: what to run, in which directory, and what must come out."""

import hashlib
import os
import re
import shutil
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import inputs

BENCH = Path(__file__).resolve().parent.parent


@dataclass
class Step:
    """One run of the module; its standard streams may be files of the scratch directory."""

    args: list
    stdin: str | None = None
    stdout: str | None = None


@dataclass
class Workload:
    name: str
    kind: str  # "kernel", "program" or "startup"
    wasm: Path
    steps: list
    output: bytes | None = None
    pick: str | None = None
    same: list = field(default_factory=list)
    sha256: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)  # name in the scratch directory -> path
    inputs: list = field(default_factory=list)
    dirs: list = field(default_factory=list)
    options: list = field(default_factory=list)  # of Catnap

    def prepare(self, scratch, generated):
        """Makes the scratch directory hold the workload's files and nothing else. `generated` is
        where generated inputs are kept."""
        for name in self.inputs:
            self.sources[name] = inputs.generate(name, generated)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for name, source in self.sources.items():
            if source.is_dir():
                shutil.copytree(source, scratch / name, copy_function=os.link)
            else:
                shutil.copyfile(source, scratch / name)
        for name in self.dirs:
            (scratch / name).mkdir()

    def clean(self, scratch):
        """Removes what an earlier run left behind."""
        for path in scratch.iterdir():
            if path.is_file() and path.name not in self.sources:
                path.unlink()

    def check(self, printed, scratch):
        """Returns what is wrong with the result of a run, or None."""
        if self.pick is not None:
            lines = printed.splitlines(keepends=True)
            printed = b"".join(line for line in lines if re.search(self.pick.encode(), line))
        if self.output is not None and printed != self.output:
            return f"printed {shorten(printed)} instead of {shorten(self.output)}"
        contents = [read(scratch / name) for name in self.same]
        if any(content is None or content != contents[0] for content in contents):
            return f"{' and '.join(self.same)} differ"
        for name, digest in self.sha256.items():
            if hashlib.sha256(read(scratch / name) or b"").hexdigest() != digest:
                return f"{name} has another content than expected"
        return None


def shorten(data):
    text = data.decode(errors="backslashreplace")
    return repr(text if len(text) <= 80 else text[:77] + "...")


def read(path):
    return path.read_bytes() if path.is_file() else None


def load_kernels(build, small):
    table = tomllib.loads((BENCH / "kernels/expected.toml").read_text())
    for name, kernel in table.items():
        args = [str(kernel["small"])] if small else []
        output = kernel["small_output" if small else "output"]
        is_text = name.startswith("gc-")  # whose instructions the tools for text may not know
        yield Workload(name, "kernel", build / "bench" / f"{name}.{'wat' if is_text else 'wasm'}",
                       [Step(args)], output=output.encode(),
                       options=["--features=gc"] if is_text else [])


def load_programs(build):
    here = BENCH / "programs"
    table = tomllib.loads((here / "workloads.toml").read_text())
    for name, program in table.items():
        output = program.get("output")
        if "expect" in program:
            output = (here / program["expect"]).read_text()
        sources = {Path(file).name: here / file for file in program.get("files", [])}
        for tree in program.get("trees", []):
            sources[tree] = build / "programs" / tree
        yield Workload(
            name,
            program.get("kind", "program"),
            build / "programs" / f"{program['wasm']}.wasm",
            [Step(**step) for step in program["steps"]],
            output=None if output is None else output.encode(),
            pick=program.get("pick"),
            same=program.get("same", []),
            sha256=program.get("sha256", {}),
            sources=sources,
            inputs=program.get("inputs", []),
            dirs=program.get("dirs", []),
        )
