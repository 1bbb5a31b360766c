"""Where model files and the engine are found, and how the engine is asked for logits."""

import os
import subprocess
import tempfile

SKIPPED = 77


def data_folder(root):
    return os.environ.get("VB_DATA_DIR", os.path.join(root, "..", "shared", "data"))


def model_folders(root):
    data = os.path.join(data_folder(root), "models")
    own = os.path.join(root, "models")
    return [own, os.path.join(own, "verbatim-demo"), os.path.join(data, "verbatim-demo"),
            os.path.join(data, "stories260K")]


def find(name, folders):
    """The path of a model file, or None."""
    paths = (os.path.join(folder, name) for folder in folders)
    return next((p for p in paths if os.path.exists(p)), None)


def engine(build):
    """The engine's program, or None when it is not built."""
    path = os.path.join(build, "verbatim")
    return path if os.access(path, os.X_OK) else None


def engine_receipt(program, model, *options):
    """The receipt's bytes of one run, with a key and state of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "receipt.json")
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env["HOME"] = folder
        subprocess.run([program, "run", "-m", model, "--receipt", out, "--quiet", *options],
                       env=env, check=True, stdout=subprocess.DEVNULL)
        with open(out, "rb") as f:
            return f.read()


def engine_tiers(program, model):
    """The instruction-set tiers that this machine can run."""
    out = []
    for tier in ("scalar", "avx2", "avx512vnni", "neon", "neondot"):
        done = subprocess.run([program, "logits", "-m", model, "--tokens", "0", "--tier", tier],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            out.append(tier)
    return out


def engine_logits(program, model, tokens, *options):
    """Raw f32le [tokens][vocabulary]."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "logits")
        ids = ",".join(map(str, tokens))
        subprocess.run([program, "logits", "-m", model, "--tokens", ids, "-o", out, *options],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out, "rb") as f:
            return f.read()
