// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {LogEntry} from "./LogEntry.sol";
import {MerkleTree} from "./MerkleTree.sol";

/// Checkpoints of logs, spec/chain.md section 2: each extends the one before it, by proof. And
/// commitments that were posted before their answers could be known, section 3.
abstract contract Checkpoints {
    struct Head {
        uint64 size;
        uint64 time;
        bytes32 root;
    }

    event Checkpoint(
        bytes32 indexed log, address indexed operator, string origin, uint64 size, bytes32 root
    );
    event Committed(bytes32 indexed commitment, address indexed by, uint64 time);

    error EmptyOrigin();
    error EmptyTree();
    error NotLarger(uint64 have, uint64 given);
    error PathNotEmpty();
    error Inconsistent();
    error UnknownCheckpoint(bytes32 log, uint64 size);
    error NothingGiven();
    error EmptyCommitment();

    mapping(bytes32 => Head) public heads;
    mapping(bytes32 => mapping(uint64 => bytes32)) public roots;
    mapping(bytes32 => uint64) public committedAt;

    function logOf(address operator, string calldata origin) public pure returns (bytes32) {
        return keccak256(abi.encode(operator, origin));
    }

    function publishCheckpoint(
        string calldata origin,
        uint64 size,
        bytes32 root,
        bytes32[] calldata path
    ) external {
        if (bytes(origin).length == 0) {
            revert EmptyOrigin();
        }
        if (size == 0) {
            revert EmptyTree();
        }
        bytes32 log = logOf(msg.sender, origin);
        Head memory head = heads[log];
        if (size <= head.size) {
            revert NotLarger(head.size, size);
        }
        if (head.size == 0) {
            if (path.length != 0) {
                revert PathNotEmpty();
            }
        } else if (!MerkleTree.consistent(head.size, head.root, size, root, path)) {
            revert Inconsistent();
        }
        heads[log] = Head(size, uint64(block.timestamp), root);
        roots[log][size] = root;
        emit Checkpoint(log, msg.sender, origin, size, root);
    }

    /// The leaf is at index of the log, under its checkpoint of that size.
    function included(bytes32 log, uint64 size, uint64 index, bytes32 leaf, bytes32[] calldata path)
        public
        view
        returns (bool)
    {
        bytes32 root = roots[log][size];
        if (root == 0) {
            revert UnknownCheckpoint(log, size);
        }
        return MerkleTree.included(size, root, index, leaf, path);
    }

    /// The leaf of a receipt's entry; the signature is the receipt's, in halves.
    function receiptLeaf(
        bytes32 commitment,
        bytes32 record,
        uint64 sequence,
        bytes32 signatureR,
        bytes32 signatureS
    ) public pure returns (bytes32) {
        return LogEntry.receiptLeaf(commitment, record, sequence, signatureR, signatureS);
    }

    function commit(bytes32[] calldata values) external {
        if (values.length == 0) {
            revert NothingGiven();
        }
        for (uint256 i = 0; i < values.length; i++) {
            if (values[i] == 0) {
                revert EmptyCommitment();
            }
            if (committedAt[values[i]] == 0) {
                committedAt[values[i]] = uint64(block.timestamp);
                emit Committed(values[i], msg.sender, uint64(block.timestamp));
            }
        }
    }
}
