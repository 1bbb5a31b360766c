// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What accounts say of themselves and of models, spec/chain.md section 1. The newest word of each
/// account counts; nobody can speak for another.
abstract contract Directory {
    struct Operator {
        bytes32 serverKey;
        string origin;
        string url;
    }

    struct Witness {
        bytes32 key;
        string name;
        string url;
    }

    struct Model {
        string name;
        string uri;
        uint64 size;
    }

    event OperatorRegistered(
        address indexed account, bytes32 indexed serverKey, string origin, string url
    );
    event WitnessRegistered(address indexed account, bytes32 indexed key, string name, string url);
    event ModelDescribed(
        bytes32 indexed sha256Digest, address indexed account, string name, string uri, uint64 size
    );

    error EmptyKey();
    error EmptyName();

    mapping(address => Operator) public operators;
    mapping(address => Witness) public witnesses;
    mapping(bytes32 => mapping(address => Model)) public models;

    function registerOperator(bytes32 serverKey, string calldata origin, string calldata url)
        external
    {
        if (serverKey == 0) {
            revert EmptyKey();
        }
        if (bytes(origin).length == 0) {
            revert EmptyName();
        }
        operators[msg.sender] = Operator(serverKey, origin, url);
        emit OperatorRegistered(msg.sender, serverKey, origin, url);
    }

    function registerWitness(bytes32 key, string calldata name, string calldata url) external {
        if (key == 0) {
            revert EmptyKey();
        }
        if (bytes(name).length == 0) {
            revert EmptyName();
        }
        witnesses[msg.sender] = Witness(key, name, url);
        emit WitnessRegistered(msg.sender, key, name, url);
    }

    function describeModel(
        bytes32 sha256Digest,
        string calldata name,
        string calldata uri,
        uint64 size
    ) external {
        if (sha256Digest == 0) {
            revert EmptyKey();
        }
        if (bytes(name).length == 0) {
            revert EmptyName();
        }
        models[sha256Digest][msg.sender] = Model(name, uri, size);
        emit ModelDescribed(sha256Digest, msg.sender, name, uri, size);
    }
}
