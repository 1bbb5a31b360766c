// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Metadata of inferences, for those who want it public: spec/chain.md section 6.
abstract contract Inferences {
    struct Inference {
        bytes32 record;
        bytes32 model;
        bytes32 prompt; // request.prompt_sha256
        bytes32 traceRoot;
        bytes32 seed;
        bytes32 answer;
        string promptText; // may be empty, as may those that follow
        string result;
        string uri;
    }

    event InferencePublished(
        address indexed by, bytes32 indexed record, bytes32 indexed model, Inference inference
    );

    error RecordMissing();
    error ResultMismatch(bytes32 expected, bytes32 given);

    /// keccak256(abi.encode(inference)) of the newest that the account published for the record.
    mapping(address => mapping(bytes32 => bytes32)) public inferences;

    function textDigest(string calldata text) public pure returns (bytes32) {
        return sha256(abi.encodePacked("verbatim.text.v1\n", text));
    }

    function publishInference(Inference calldata inference) external {
        if (inference.record == 0) {
            revert RecordMissing();
        }
        if (bytes(inference.result).length != 0) {
            bytes32 digest = textDigest(inference.result);
            if (digest != inference.answer) {
                revert ResultMismatch(inference.answer, digest);
            }
        }
        inferences[msg.sender][inference.record] = keccak256(abi.encode(inference));
        emit InferencePublished(msg.sender, inference.record, inference.model, inference);
    }
}
