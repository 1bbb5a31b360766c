"""drand chains whose keys the tests know, in each scheme, for beacon_server.py and trust files.
Signatures by the second implementation (tests/reference), from spec/beacons.md alone."""
import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
from verbatim_ref import bls12381  # noqa: E402

SECRET = int.from_bytes(hashlib.sha256(b"a drand network of the tests").digest(), "big")
SCHEMES = {"pedersen-bls-chained": (bls12381.Fp, bls12381.Fp2),
           "pedersen-bls-unchained": (bls12381.Fp, bls12381.Fp2),
           "bls-unchained-g1-rfc9380": (bls12381.Fp2, bls12381.Fp)}


def drand_chain(scheme, genesis_s, period_s, first, last, beacon_id="tests"):
    """What beacon_server.py serves as {hash: {info, rounds}} with the rounds first .. last, and the
    chain as a trust file has it. In the chained scheme first is 1."""
    key_field, signature_field = SCHEMES[scheme]
    key = bls12381.public_key(SECRET, key_field)
    group = hashlib.sha256(b"a group of the tests").digest()
    chain_hash = hashlib.sha256(struct.pack(">Iq", period_s, genesis_s) + key + group +
                                beacon_id.encode()).hexdigest()
    previous, rounds = group, {}
    for n in range(first, last + 1):
        chained = scheme == "pedersen-bls-chained"
        message = hashlib.sha256((previous if chained else b"") + struct.pack(">Q", n)).digest()
        signature = bls12381.sign(SECRET, message, signature_field)
        rounds[str(n)] = {"signature": signature.hex(),
                          "randomness": hashlib.sha256(signature).hexdigest()}
        if chained:
            rounds[str(n)]["previous_signature"] = previous.hex()
        previous = signature
    common = {"public_key": key.hex(), "period": period_s, "genesis_time": genesis_s, "hash": chain_hash}
    served = {"info": {**common, "groupHash": group.hex(), "schemeID": scheme,
                       "metadata": {"beaconID": beacon_id}}, "rounds": rounds}
    trusted = {**common, "group_hash": group.hex(), "scheme": scheme, "beacon_id": beacon_id}
    return {chain_hash: served}, trusted
