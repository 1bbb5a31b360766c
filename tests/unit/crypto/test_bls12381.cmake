# The test reads real drand rounds.
target_link_libraries(test_bls12381 PRIVATE PkgConfig::JANSSON)
