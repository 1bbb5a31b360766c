// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Claim} from "../src/Verdicts.sol";
import {VerbatimRegistry} from "../src/VerbatimRegistry.sol";

/// A treasury that pays a proposal only on a confirmed answer: k of a panel of witnesses have
/// re-executed the inference, its request was posted before its randomness was known, its model
/// is the one that was agreed on, and the answer is the word that approves.
contract Treasury {
    struct Proposal {
        address payable to;
        uint256 amount;
        bytes32 commitment;
        uint64 proposedAt;
        bool paid;
    }

    event Proposed(uint256 indexed id, address indexed to, uint256 amount, bytes32 commitment);
    event Paid(uint256 indexed id, address indexed to, uint256 amount, bytes32 record);

    error NotTheProposer();
    error UnknownProposal(uint256 id);
    error AlreadyPaid(uint256 id);
    error OtherCommitment();
    error OtherModel();
    error OtherAnswer();
    error CommittedTooLate(uint64 committedAt, uint64 drawnAt);
    error NotConfirmed();
    error PaymentFailed();

    VerbatimRegistry public immutable registry;
    bytes32 public immutable panel;
    uint256 public immutable quorum;
    bytes32 public immutable model;
    bytes32 public immutable approval; // text digest of the approving answer
    address public immutable proposer;
    Proposal[] public proposals;

    constructor(
        VerbatimRegistry registry_,
        bytes32 panel_,
        uint256 quorum_,
        bytes32 model_,
        string memory approvingAnswer
    ) payable {
        registry = registry_;
        panel = panel_;
        quorum = quorum_;
        model = model_;
        approval = sha256(abi.encodePacked("verbatim.text.v1\n", approvingAnswer));
        proposer = msg.sender;
    }

    receive() external payable {}

    /// One commitment a proposal, for good: asking again until the answer pleases is of no use.
    function propose(address payable to, uint256 amount, bytes32 commitment)
        external
        returns (uint256 id)
    {
        if (msg.sender != proposer) {
            revert NotTheProposer();
        }
        id = proposals.length;
        proposals.push(Proposal(to, amount, commitment, uint64(block.timestamp), false));
        emit Proposed(id, to, amount, commitment);
    }

    /// Anyone may call it, with the claim that the witnesses signed.
    function release(uint256 id, Claim calldata claim) external {
        if (id >= proposals.length) {
            revert UnknownProposal(id);
        }
        Proposal storage p = proposals[id];
        if (p.paid) {
            revert AlreadyPaid(id);
        }
        if (claim.commitment != p.commitment) {
            revert OtherCommitment();
        }
        if (claim.model != model) {
            revert OtherModel();
        }
        if (claim.answer != approval) {
            revert OtherAnswer();
        }
        if (p.proposedAt >= claim.drawnAt) {
            revert CommittedTooLate(p.proposedAt, claim.drawnAt);
        }
        if (!registry.confirmed(panel, claim, quorum)) {
            revert NotConfirmed();
        }
        p.paid = true;
        (bool ok,) = p.to.call{value: p.amount}("");
        if (!ok) {
            revert PaymentFailed();
        }
        emit Paid(id, p.to, p.amount, claim.record);
    }
}
