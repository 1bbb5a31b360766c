target_link_libraries(test_r1_qwen PRIVATE PkgConfig::JANSSON)
