# What the constraints mean is tested too.
target_link_libraries(test_api_constraint PRIVATE vb_grammar)
