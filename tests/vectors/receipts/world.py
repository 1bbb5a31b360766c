"""The beacons and keys that the vectors share, each made once."""

import synthetic
from receipts import OTHER_SEED, SEED, public_key

DRAND_ROUND = 2


class World:
    def __init__(self):
        self.key, self.other_key = public_key(SEED).hex(), public_key(OTHER_SEED).hex()
        schemes = ("bls-unchained-g1-rfc9380", "pedersen-bls-unchained", "pedersen-bls-chained")
        self.chains = {s: synthetic.DrandChain(s) for s in schemes}
        self.drand = {s: c.beacon(DRAND_ROUND) for s, c in self.chains.items()}
        self.drand_first = self.chains["pedersen-bls-chained"].beacon(1)
        self.theta = synthetic.make_theta()
        self.ethereum = synthetic.make_ethereum()
        self.ethereum_at_n = synthetic.make_ethereum(count=3)
        self.nist_key = synthetic.NistKey()
        self.nist = synthetic.make_nist(self.nist_key)
        self.mix = synthetic.make_mix(self.drand[schemes[0]], self.theta)
        self.chain = synthetic.local_chain()
        self.local = self.local_round(5)

    def local_round(self, number):
        return synthetic.make_local(self.chain, number)
