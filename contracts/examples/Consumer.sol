// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Claim} from "../src/Verdicts.sol";
import {VerbatimRegistry} from "../src/VerbatimRegistry.sol";

/// The least that a contract needs to act on a verified inference: it keeps the digest of a
/// confirmed answer under its commitment.
contract Consumer {
    event Accepted(bytes32 indexed commitment, bytes32 answer);

    error NotConfirmed();
    error AlreadyAccepted();

    VerbatimRegistry public immutable registry;
    bytes32 public immutable panel;
    uint256 public immutable quorum;
    mapping(bytes32 => bytes32) public answers;

    constructor(VerbatimRegistry registry_, bytes32 panel_, uint256 quorum_) {
        registry = registry_;
        panel = panel_;
        quorum = quorum_;
    }

    function accept(Claim calldata claim) external {
        if (answers[claim.commitment] != 0) {
            revert AlreadyAccepted();
        }
        if (!registry.confirmed(panel, claim, quorum)) {
            revert NotConfirmed();
        }
        answers[claim.commitment] = claim.answer;
        emit Accepted(claim.commitment, claim.answer);
    }
}
