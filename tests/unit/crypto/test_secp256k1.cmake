# The test reads a block of the Theta chain.
target_link_libraries(test_secp256k1 PRIVATE PkgConfig::JANSSON)
