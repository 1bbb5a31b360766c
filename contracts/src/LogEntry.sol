// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {MerkleTree} from "./MerkleTree.sol";

/// The entry of a receipt in a log, spec/log.md section 1, from its members.
library LogEntry {
    bytes16 private constant DIGITS = "0123456789abcdef";

    function receiptLeaf(
        bytes32 commitment,
        bytes32 record,
        uint64 sequence,
        bytes32 signatureR,
        bytes32 signatureS
    ) internal pure returns (bytes32) {
        return MerkleTree.leafHash(
            abi.encodePacked(
                '{"commitment":"',
                hex32(commitment),
                '","format":"verbatim.entry/1","kind":"receipt","record_sha256":"',
                hex32(record),
                '","sequence":"',
                decimal(sequence),
                '","signature":"',
                hex32(signatureR),
                hex32(signatureS),
                '"}'
            )
        );
    }

    function hex32(bytes32 value) internal pure returns (bytes memory text) {
        text = new bytes(64);
        for (uint256 i = 0; i < 32; i++) {
            uint8 b = uint8(value[i]);
            text[2 * i] = DIGITS[b >> 4];
            text[2 * i + 1] = DIGITS[b & 15];
        }
    }

    function decimal(uint64 value) internal pure returns (bytes memory text) {
        uint256 digits = 1;
        for (uint64 rest = value; rest >= 10; rest /= 10) {
            digits++;
        }
        text = new bytes(digits);
        for (uint64 rest = value; digits > 0; rest /= 10) {
            text[--digits] = DIGITS[rest % 10];
        }
    }
}
