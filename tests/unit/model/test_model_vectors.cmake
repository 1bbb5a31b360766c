target_sources(test_model_vectors PRIVATE ${CMAKE_SOURCE_DIR}/tests/vectors/vectors.c)
target_link_libraries(test_model_vectors PRIVATE vb_crypto PkgConfig::JANSSON)
