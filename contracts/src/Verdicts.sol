// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What a verdict is about: the facts of a receipt that contracts act on, spec/chain.md section 4.
struct Claim {
    bytes32 record;
    bytes32 commitment;
    bytes32 model;
    bytes32 answer;
    uint64 drawnAt;
}

struct Verdict {
    Claim claim;
    uint8 outcome;
    uint8 level;
    uint64 judgedAt;
}

/// Verdicts of witnesses and panels of them, spec/chain.md sections 4 and 5.
abstract contract Verdicts {
    uint8 public constant VERIFIED = 1;
    uint8 public constant REFUTED = 2;
    uint8 public constant UNVERIFIABLE = 3;
    uint8 public constant LEVEL_RECEIPT = 1;
    uint8 public constant LEVEL_SAMPLE = 2;
    uint8 public constant LEVEL_FULL = 3;
    uint256 public constant PANEL_MAX = 64;

    bytes32 private constant DOMAIN_TYPE = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant VERDICT_TYPE = keccak256(
        "Verdict(bytes32 record,bytes32 commitment,bytes32 model,bytes32 answer,uint64 drawnAt,uint8 outcome,uint8 level,uint64 judgedAt)"
    );
    /// Half the order of secp256k1: a greater s is the other form of a signature.
    uint256 private constant S_MAX =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    struct Judgement {
        bytes32 claim; // its hash
        uint8 outcome;
        uint8 level;
        uint64 judgedAt;
        bool contradicted; // by the witness itself: the verdict is void
    }

    event Attested(
        address indexed witness,
        bytes32 indexed record,
        bytes32 indexed model,
        bytes32 commitment,
        bytes32 answer,
        uint64 drawnAt,
        uint8 outcome,
        uint8 level,
        uint64 judgedAt
    );
    event Contradicted(
        address indexed witness,
        bytes32 indexed record,
        bytes32 firstClaim,
        uint8 firstOutcome,
        uint8 firstLevel,
        bytes32 secondClaim,
        uint8 secondOutcome,
        uint8 secondLevel
    );
    event PanelCreated(bytes32 indexed panel, address[] members);

    error EmptyRecord();
    error UnknownOutcome(uint8 outcome);
    error UnknownLevel(uint8 level);
    error SignatureLength(uint256 length);
    error SignatureMalleable();
    error SignatureInvalid();
    error LengthsDiffer();
    error PanelSize(uint256 size);
    error PanelOrder(uint256 index);
    error UnknownPanel(bytes32 panel);
    error EmptyQuorum();

    mapping(address => mapping(bytes32 => Judgement)) public judgements;
    mapping(bytes32 => address[]) private panels;

    function domainSeparator() public view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPE,
                keccak256("Verbatim"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
    }

    function claimHash(Claim calldata c) public pure returns (bytes32) {
        return keccak256(abi.encode(c.record, c.commitment, c.model, c.answer, c.drawnAt));
    }

    /// What a witness signs.
    function verdictDigest(Verdict calldata v) public view returns (bytes32) {
        bytes32 body = keccak256(
            abi.encode(
                VERDICT_TYPE,
                v.claim.record,
                v.claim.commitment,
                v.claim.model,
                v.claim.answer,
                v.claim.drawnAt,
                v.outcome,
                v.level,
                v.judgedAt
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(), body));
    }

    function attest(Verdict calldata v, bytes calldata signature) public {
        if (v.claim.record == 0) {
            revert EmptyRecord();
        }
        if (v.outcome < VERIFIED || v.outcome > UNVERIFIABLE) {
            revert UnknownOutcome(v.outcome);
        }
        if (v.level < LEVEL_RECEIPT || v.level > LEVEL_FULL) {
            revert UnknownLevel(v.level);
        }
        record(recover(verdictDigest(v), signature), v);
    }

    function attestMany(Verdict[] calldata v, bytes[] calldata signatures) external {
        if (v.length != signatures.length) {
            revert LengthsDiffer();
        }
        for (uint256 i = 0; i < v.length; i++) {
            attest(v[i], signatures[i]);
        }
    }

    function recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) {
            revert SignatureLength(signature.length);
        }
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > S_MAX) {
            revert SignatureMalleable();
        }
        // ecrecover gives zero for a v other than 27 and 28 too.
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        if (signer == address(0)) {
            revert SignatureInvalid();
        }
        return signer;
    }

    /// Keeps one verdict of a witness on a record, or that it has contradicted itself.
    function record(address witness, Verdict calldata v) private {
        Judgement storage have = judgements[witness][v.claim.record];
        bytes32 claim = claimHash(v.claim);
        bool first = have.outcome == 0;
        if (!first && (have.contradicted || repeats(have, claim, v))) {
            return;
        }
        if (first || givesWay(have, claim, v)) {
            judgements[witness][v.claim.record] =
                Judgement(claim, v.outcome, v.level, v.judgedAt, false);
            emit Attested(
                witness,
                v.claim.record,
                v.claim.model,
                v.claim.commitment,
                v.claim.answer,
                v.claim.drawnAt,
                v.outcome,
                v.level,
                v.judgedAt
            );
            return;
        }
        have.contradicted = true;
        emit Contradicted(
            witness,
            v.claim.record,
            have.claim,
            have.outcome,
            have.level,
            claim,
            v.outcome,
            v.level
        );
    }

    /// Says nothing that is not known: the same again, or VERIFIED at a lower level, or UNVERIFIABLE after more was found.
    function repeats(Judgement storage have, bytes32 claim, Verdict calldata v)
        private
        view
        returns (bool)
    {
        if (v.outcome == UNVERIFIABLE) {
            return true;
        }
        return have.claim == claim && have.outcome == v.outcome
            && (v.outcome == REFUTED || v.level <= have.level);
    }

    function givesWay(Judgement storage have, bytes32 claim, Verdict calldata v)
        private
        view
        returns (bool)
    {
        return have.outcome == UNVERIFIABLE
            || (have.outcome == VERIFIED && v.outcome == VERIFIED && have.claim == claim);
    }

    function createPanel(address[] calldata members) external returns (bytes32 panel) {
        if (members.length == 0 || members.length > PANEL_MAX) {
            revert PanelSize(members.length);
        }
        address before = address(0);
        for (uint256 i = 0; i < members.length; i++) {
            if (members[i] <= before) {
                revert PanelOrder(i);
            }
            before = members[i];
        }
        panel = keccak256(abi.encode(members));
        if (panels[panel].length == 0) {
            panels[panel] = members;
            emit PanelCreated(panel, members);
        }
    }

    function panelMembers(bytes32 panel) public view returns (address[] memory members) {
        members = panels[panel];
        if (members.length == 0) {
            revert UnknownPanel(panel);
        }
    }

    /// At least k of the panel have re-executed and confirm just this claim.
    function confirmed(bytes32 panel, Claim calldata c, uint256 k) external view returns (bool) {
        if (k == 0) {
            revert EmptyQuorum();
        }
        address[] memory members = panelMembers(panel);
        bytes32 claim = claimHash(c);
        uint256 n = 0;
        for (uint256 i = 0; i < members.length; i++) {
            Judgement storage j = judgements[members[i]][c.record];
            if (
                j.claim == claim && j.outcome == VERIFIED && j.level == LEVEL_FULL
                    && !j.contradicted
            ) {
                n++;
            }
        }
        return n >= k;
    }

    /// What the panel says of a record, whatever the claim.
    function tally(bytes32 panel, bytes32 recordHash)
        external
        view
        returns (uint256 verified, uint256 refuted, uint256 unverifiable, uint256 contradicted)
    {
        address[] memory members = panelMembers(panel);
        for (uint256 i = 0; i < members.length; i++) {
            Judgement storage j = judgements[members[i]][recordHash];
            if (j.contradicted) {
                contradicted++;
            } else if (j.outcome == VERIFIED && j.level == LEVEL_FULL) {
                verified++;
            } else if (j.outcome == REFUTED) {
                refuted++;
            } else if (j.outcome == UNVERIFIABLE) {
                unverifiable++;
            }
        }
    }
}
