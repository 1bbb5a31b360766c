"""What the figures were measured on."""
import os
import platform
import re
import subprocess


def first(pattern, path, missing="unknown"):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            found = re.search(pattern, f.read(), re.MULTILINE)
    except OSError:
        return missing
    return found.group(1).strip() if found else missing


def command(*args):
    try:
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def processors():
    return len(os.sched_getaffinity(0))


def describe(programs, tiers):
    """The members of a record's "machine"; tiers: what it can run, the fastest last."""
    cache = os.path.join(programs.folder, "CMakeCache.txt")
    compiler = first(r"^CMAKE_C_COMPILER:\w+=(.+)$", cache)
    flags = first(r"^VB_SANITIZE:\w+=(.+)$", cache, "")
    commit = command("git", "-C", programs.root, "describe", "--always", "--dirty", "--abbrev=12")
    return {
        "cpu": first(r"^(?:model name|Processor)\s*:\s*(.+)$", "/proc/cpuinfo", platform.machine()),
        "cores": processors(),
        "memory_bytes": 1024 * int(first(r"^MemTotal:\s*(\d+) kB$", "/proc/meminfo", "0")),
        "kernel": f"{platform.system()} {platform.release()}",
        "tier": tiers[-1],
        "compiler": (command(compiler, "--version").splitlines() or [compiler])[0],
        "build": first(r"^CMAKE_BUILD_TYPE:\w+=(.+)$", cache, "Release") + (f" with {flags}" if flags else ""),
        "commit": commit or "unknown",
    }
