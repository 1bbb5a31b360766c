// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Checkpoints} from "./Checkpoints.sol";
import {Directory} from "./Directory.sol";
import {Inferences} from "./Inferences.sol";
import {Verdicts} from "./Verdicts.sol";

/// The registry of spec/chain.md. It has no owner and keeps no funds.
contract VerbatimRegistry is Directory, Checkpoints, Verdicts, Inferences {}
