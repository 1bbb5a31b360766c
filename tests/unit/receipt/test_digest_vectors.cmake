target_sources(test_digest_vectors PRIVATE ${CMAKE_SOURCE_DIR}/tests/vectors/vectors.c)
target_link_libraries(test_digest_vectors PRIVATE PkgConfig::JANSSON)
