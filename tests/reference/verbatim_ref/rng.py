"""splitmix64, and the test inputs made from it. The rule is stated in spec/vectors/README.md."""

import numpy as np

F32 = np.float32
_MASK = (1 << 64) - 1


class Rng:
    def __init__(self, seed):
        self.state = seed & _MASK

    def u64(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
        return z ^ z >> 31

    def below(self, n):
        return self.u64() % n

    def bytes(self, n):
        return bytes(self.u64() & 255 for _ in range(n))

    def uniform(self, n):
        """f32 in [-1, 1): 24 random bits, exact."""
        return np.array([(self.u64() >> 40) * 2.0**-23 - 1.0 for _ in range(n)], F32)

    def wide(self, n, low=-12, high=12):
        """f32 of random sign and 23 random mantissa bits, exponent in [low, high]."""
        out = []
        for _ in range(n):
            u = self.u64()
            exponent = 127 + low + (u >> 32) % (high - low + 1)
            out.append((u & 1) << 31 | exponent << 23 | (u >> 1 & 0x7FFFFF))
        return np.array(out, np.uint32).view(F32)
