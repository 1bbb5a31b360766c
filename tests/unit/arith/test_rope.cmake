target_link_libraries(test_rope PRIVATE m)
