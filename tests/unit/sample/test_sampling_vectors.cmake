target_link_libraries(test_sampling_vectors PRIVATE PkgConfig::JANSSON PkgConfig::CRYPTO)
