target_link_libraries(test_attention PRIVATE m)
