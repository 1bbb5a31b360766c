"""The shapes of the models that are measured, what a token costs in them, and their files."""
import os
import re
from collections import namedtuple

Shape = namedtuple("Shape", "n_embd layers heads kv_heads head_dim n_ff n_vocab tied quick_layers")

SHAPES = {
    "qwen2.5-0.5b": Shape(896, 24, 14, 2, 64, 4864, 151936, True, 12),
    "qwen2.5-1.5b": Shape(1536, 28, 12, 2, 128, 8960, 151936, True, 6),
    "qwen2.5-7b": Shape(3584, 28, 28, 4, 128, 18944, 152064, False, 2),
    "tiny": Shape(256, 4, 4, 2, 64, 512, 4096, True, 2),  # of the tests
}
FLOAT_TYPES = ("F32", "F16", "BF16")
CONTEXT_MAX = 16384

Model = namedtuple("Model", "shape layers type")


def layers_of(name, quick):
    return SHAPES[name].quick_layers if quick else SHAPES[name].layers


def layer_macs(model):
    """Multiply-adds of one token in the products of all layers: attention and head apart."""
    s = SHAPES[model.shape]
    kv = s.kv_heads * s.head_dim
    return model.layers * (2 * s.n_embd * s.heads * s.head_dim + 2 * s.n_embd * kv + 3 * s.n_embd * s.n_ff)


def head_macs(model):
    s = SHAPES[model.shape]
    return s.n_embd * s.n_vocab


def synth_options(model):
    s = SHAPES[model.shape]
    return ["--quiet", "--force", "--type", model.type, "--arch", "qwen2", "--n-embd", s.n_embd,
            "--n-layers", model.layers, "--n-heads", s.heads, "--n-kv-heads", s.kv_heads, "--head-dim", s.head_dim,
            "--n-ff", s.n_ff, "--n-vocab", s.n_vocab, "--ctx", CONTEXT_MAX, "--rope-base", 1000000,
            "--tied" if s.tied else "--untied"]


class Models:
    """Model files in a folder: written when first asked for, kept when the folder is the user's."""

    def __init__(self, programs, folder, keep):
        self.programs, self.folder, self.keep = programs, folder, keep

    def path(self, model):
        return os.path.join(self.folder, f"{model.shape}-{model.layers}-layers-{model.type}.gguf")

    def exists(self, model):
        return os.path.exists(self.path(model))

    def get(self, model):
        """A file gets its name when it is complete, so one that has it can be used again."""
        path = self.path(model)
        if not os.path.exists(path):
            part = f"{path}.{os.getpid()}.part"
            try:
                self.programs.run("verbatim-synth", *synth_options(model), part)
                os.replace(part, path)
            finally:
                if os.path.exists(part):
                    os.remove(part)
        return path

    def drop(self, model):
        if not self.keep and os.path.exists(self.path(model)):
            os.remove(self.path(model))

    def file_bytes(self, model):
        """Of all weights, as they would be in the file; nothing is written."""
        plan = self.programs.run("verbatim-synth", "--plan", *synth_options(model))
        return int(re.search(r"(\d+) bytes\s*\Z", plan).group(1))
