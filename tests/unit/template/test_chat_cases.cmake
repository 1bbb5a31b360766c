target_link_libraries(test_chat_cases PRIVATE PkgConfig::JANSSON)
