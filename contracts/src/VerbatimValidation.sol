// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Claim} from "./Verdicts.sol";
import {VerbatimRegistry} from "./VerbatimRegistry.sol";

interface IAgentIdentity {
    function ownerOf(uint256 agentId) external view returns (address);
    function getApproved(uint256 agentId) external view returns (address);
    function isApprovedForAll(address owner, address operator) external view returns (bool);
}

/// A validation registry of ERC-8004 whose own validator is a panel of witnesses: spec/chain.md
/// section 7.
contract VerbatimValidation {
    struct Status {
        address validator;
        uint256 agentId;
        uint8 response;
        bytes32 responseHash;
        string tag;
        uint256 lastUpdate;
        bool answered;
    }

    event ValidationRequest(
        address indexed validatorAddress,
        uint256 indexed agentId,
        string requestURI,
        bytes32 indexed requestHash
    );
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );

    error NoContract();
    error EmptyQuorum();
    error EmptyRequest();
    error EmptyValidator();
    error NotTheAgents();
    error RequestExists(bytes32 requestHash);
    error UnknownRequest(bytes32 requestHash);
    error NotTheValidator();
    error ResponseRange(uint8 response);
    error NotJudgedYet();

    uint8 public constant CONFIRMED = 100;
    uint8 public constant REFUTED = 0;
    string public constant TAG = "verbatim";

    IAgentIdentity private immutable identity;
    VerbatimRegistry public immutable registry;
    bytes32 public immutable panel;
    uint256 public immutable quorum;

    mapping(bytes32 => Status) private statuses;
    mapping(uint256 => bytes32[]) private ofAgent;
    mapping(address => bytes32[]) private ofValidator;

    constructor(IAgentIdentity identity_, VerbatimRegistry registry_, bytes32 panel_, uint256 k) {
        if (address(identity_).code.length == 0 || address(registry_).code.length == 0) {
            revert NoContract();
        }
        if (k == 0) {
            revert EmptyQuorum();
        }
        registry_.panelMembers(panel_); // reverts unless there is one
        identity = identity_;
        registry = registry_;
        panel = panel_;
        quorum = k;
    }

    function getIdentityRegistry() external view returns (address) {
        return address(identity);
    }

    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external {
        if (validatorAddress == address(0)) {
            revert EmptyValidator();
        }
        if (requestHash == 0) {
            revert EmptyRequest();
        }
        address owner = identity.ownerOf(agentId);
        if (
            msg.sender != owner && msg.sender != identity.getApproved(agentId)
                && !identity.isApprovedForAll(owner, msg.sender)
        ) {
            revert NotTheAgents();
        }
        if (statuses[requestHash].validator != address(0)) {
            revert RequestExists(requestHash);
        }
        Status storage s = statuses[requestHash];
        s.validator = validatorAddress;
        s.agentId = agentId;
        s.lastUpdate = block.timestamp;
        ofAgent[agentId].push(requestHash);
        ofValidator[validatorAddress].push(requestHash);
        emit ValidationRequest(validatorAddress, agentId, requestURI, requestHash);
    }

    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Status storage s = known(requestHash);
        if (msg.sender != s.validator) {
            revert NotTheValidator();
        }
        if (response > 100) {
            revert ResponseRange(response);
        }
        respond(s, requestHash, response, responseURI, responseHash, tag);
    }

    /// Answers a request to this contract, whose requestHash is claim.record, by the panel.
    function settle(Claim calldata claim) external {
        Status storage s = known(claim.record);
        if (s.validator != address(this)) {
            revert NotTheValidator();
        }
        uint8 response = CONFIRMED;
        if (!registry.confirmed(panel, claim, quorum)) {
            (, uint256 refuted,,) = registry.tally(panel, claim.record);
            if (refuted < quorum) {
                revert NotJudgedYet();
            }
            response = REFUTED;
        }
        respond(s, claim.record, response, "", registry.claimHash(claim), TAG);
    }

    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        )
    {
        Status storage s = known(requestHash);
        return (s.validator, s.agentId, s.response, s.responseHash, s.tag, s.lastUpdate);
    }

    /// Number and mean of the responses to an agent's requests; of all validators and tags when
    /// none are given.
    function getSummary(
        uint256 agentId,
        address[] calldata validatorAddresses,
        string calldata tag
    ) external view returns (uint64 count, uint8 averageResponse) {
        bytes32[] storage requests = ofAgent[agentId];
        uint256 sum = 0;
        for (uint256 i = 0; i < requests.length; i++) {
            Status storage s = statuses[requests[i]];
            if (s.answered && counts(s, validatorAddresses, tag)) {
                count++;
                sum += s.response;
            }
        }
        if (count != 0) {
            averageResponse = uint8(sum / count);
        }
    }

    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory) {
        return ofAgent[agentId];
    }

    function getValidatorRequests(address validatorAddress)
        external
        view
        returns (bytes32[] memory)
    {
        return ofValidator[validatorAddress];
    }

    function known(bytes32 requestHash) private view returns (Status storage s) {
        s = statuses[requestHash];
        if (s.validator == address(0)) {
            revert UnknownRequest(requestHash);
        }
    }

    function counts(Status storage s, address[] calldata validators, string calldata tag)
        private
        view
        returns (bool)
    {
        if (bytes(tag).length != 0 && keccak256(bytes(tag)) != keccak256(bytes(s.tag))) {
            return false;
        }
        for (uint256 i = 0; i < validators.length; i++) {
            if (validators[i] == s.validator) {
                return true;
            }
        }
        return validators.length == 0;
    }

    function respond(
        Status storage s,
        bytes32 requestHash,
        uint8 response,
        string memory responseURI,
        bytes32 responseHash,
        string memory tag
    ) private {
        s.response = response;
        s.responseHash = responseHash;
        s.tag = tag;
        s.lastUpdate = block.timestamp;
        s.answered = true;
        emit ValidationResponse(
            s.validator, s.agentId, requestHash, response, responseURI, responseHash, tag
        );
    }
}
