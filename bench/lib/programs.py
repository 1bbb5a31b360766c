"""The programs that measure: built, run one at a time, their JSON read."""
import json
import os
import subprocess

NAMES = ("verbatim", "verbatim-synth", "bench_kernels", "bench_scheduler", "bench_answer", "bench_context")
CEILINGS = ("read", "int8", "f32")


class ProgramError(Exception):
    """A program failed, or said what was not expected of it."""


class Programs:
    def __init__(self, root, folder):
        """folder: a build folder, used as it is; None: build/, configured and built first."""
        self.root = root
        self.folder = folder or os.path.join(root, "build")
        if folder is None:
            self.execute(["cmake", "-G", "Ninja", "-B", self.folder, "-S", root])
            self.execute(["ninja", "-C", self.folder, *NAMES])
        for name in NAMES:
            if not os.path.exists(os.path.join(self.folder, name)):
                raise ProgramError(f"{self.folder} has no {name}: build it, or leave --build out")

    def execute(self, args):
        args = [str(a) for a in args]
        try:
            p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                 cwd=self.root, text=True)
        except FileNotFoundError:
            raise ProgramError(f"{args[0]} is not installed")
        try:
            out, err = p.communicate()
        except BaseException:  # interrupted: nothing goes on behind us
            p.kill()
            p.wait()
            raise
        if p.returncode:
            words = (err.strip() or out.strip() or f"exit status {p.returncode}").splitlines()
            name = os.path.basename(args[0])
            raise ProgramError(f"{name}: {words[-1].removeprefix(name + ': ')}")
        return out

    def run(self, name, *args):
        return self.execute([os.path.join(self.folder, name), *args])

    def json(self, name, *args):
        text = self.run(name, *args)
        try:
            return json.loads(text)
        except ValueError as e:
            raise ProgramError(f"{name}: its output is not JSON ({e})")

    def ceilings(self, threads, tier):
        """Bytes and multiply-adds a second; those that the tier has no measurement of are left out."""
        rows = self.json("bench_kernels", "--json", "--only", "peaks", "--threads", threads, "--tier", tier)
        found = {r["name"].removeprefix("peak "): r["value"] for r in rows}
        if set(found) != set(CEILINGS):
            raise ProgramError(f"bench_kernels: ceilings {', '.join(CEILINGS)} expected, found {', '.join(found)}")
        return {k: v for k, v in found.items() if v > 0}
