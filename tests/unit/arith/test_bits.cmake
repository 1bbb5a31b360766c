target_link_libraries(test_bits PRIVATE m)
