target_link_libraries(test_chat PRIVATE PkgConfig::JANSSON)
