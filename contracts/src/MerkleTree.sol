// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Merkle trees of RFC 6962 section 2.1 (SHA-256): audit paths and consistency proofs, checked as
/// RFC 9162 sections 2.1.3.2 and 2.1.4.2 say.
library MerkleTree {
    function leafHash(bytes memory entry) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), entry));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// True when the path leads from the leaf at index to the root of size leaves.
    function included(uint64 size, bytes32 root, uint64 index, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (index >= size) {
            return false;
        }
        uint64 node = index;
        uint64 last = size - 1;
        bytes32 hash = leaf;
        for (uint256 i = 0; i < path.length; i++) {
            if (last == 0) {
                return false;
            }
            if (node & 1 == 1 || node == last) {
                hash = nodeHash(path[i], hash);
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = nodeHash(hash, path[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && hash == root;
    }

    /// True when the tree of newSize leaves begins with the oldSize leaves of oldRoot;
    /// 0 < oldSize < newSize.
    function consistent(
        uint64 oldSize,
        bytes32 oldRoot,
        uint64 newSize,
        bytes32 newRoot,
        bytes32[] calldata path
    ) internal pure returns (bool) {
        uint64 node = oldSize - 1;
        uint64 last = newSize - 1;
        while (node & 1 == 1) {
            node >>= 1;
            last >>= 1;
        }
        // A complete old tree is itself the first hash; it is not in the path.
        uint256 next = 0;
        bytes32 hash = oldRoot;
        if (node != 0) {
            if (path.length == 0) {
                return false;
            }
            hash = path[0];
            next = 1;
        }
        bytes32 oldHash = hash;
        bytes32 newHash = hash;
        for (; next < path.length; next++) {
            if (last == 0) {
                return false;
            }
            if (node & 1 == 1 || node == last) {
                oldHash = nodeHash(path[next], oldHash);
                newHash = nodeHash(path[next], newHash);
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                newHash = nodeHash(newHash, path[next]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && oldHash == oldRoot && newHash == newRoot;
    }
}
